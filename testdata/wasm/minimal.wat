;; The guest of sdk/ABI.md: pins are honoured, others go to the available backends in turn.
(module
  ;; 0x00000 the state of each row, a byte
  ;; 0x10000 the rows that may get any request, two bytes each
  ;; 0x30000 the frame, to the end of the memory
  (memory (export "memory") 4)
  (global $open (mut i32) (i32.const 0)) ;; how many rows at 0x10000
  (global $turn (mut i32) (i32.const 0))

  (func (export "wedge_abi_v1"))

  (func (export "wedge_frame") (param $size i32) (result i32)
    (local $more i32) ;; pages of 64 KiB
    (local.set $more (i32.sub
      (i32.shr_u (i32.add (local.get $size) (i32.const 0x3ffff)) (i32.const 16)) ;; 0x30000, and up to a page
      (memory.size)))
    (if (i32.gt_s (local.get $more) (i32.const 0))
      (then (if (i32.lt_s (memory.grow (local.get $more)) (i32.const 0)) (then unreachable))))
    (i32.const 0x30000))

  (func (export "wedge_configure") (param i32) (result i32)
    (i32.const 0)) ;; it has no options, and needs no attribute

  ;; $collect lists the rows of a state.
  (func $collect (param $count i32) (param $state i32)
    (local $row i32)
    (global.set $open (i32.const 0))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $row) (local.get $count)))
      (if (i32.eq (i32.load8_u (local.get $row)) (local.get $state)) (then
        (i32.store16 offset=0x10000 (i32.shl (global.get $open) (i32.const 1)) (local.get $row))
        (global.set $open (i32.add (global.get $open) (i32.const 1)))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $next))))

  (func (export "wedge_backends") (param i32) (result i32)
    (local $row i32) (local $count i32)
    (local.set $count (i32.load offset=0x30004 (i32.const 0)))
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $row) (local.get $count)))
      ;; a record is 40 bytes, the first at 8, and the state at 36 of each
      (i32.store8 (local.get $row) (i32.load offset=0x3002c (i32.mul (local.get $row) (i32.const 40))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $next)))
    (call $collect (local.get $count) (i32.const 0)) ;; ready
    (if (i32.eqz (global.get $open)) (then (call $collect (local.get $count) (i32.const 1)))) ;; draining
    (i32.const 0))

  (func $excluded (param $row i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at (i32.load offset=0x30008 (i32.const 0)))
    (local.set $end (i32.add (local.get $at)
      (i32.shl (i32.load offset=0x3000c (i32.const 0)) (i32.const 2))))
    (block $none (loop $next
      (br_if $none (i32.ge_u (local.get $at) (local.get $end)))
      (if (i32.eq (i32.load offset=0x30000 (local.get $at)) (local.get $row)) (then (return (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br $next)))
    (i32.const 0))

  (func (export "wedge_pick") (param i32) (result i64)
    (local $row i32) (local $tries i32)
    (local.set $row (i32.sub (i32.load offset=0x30004 (i32.const 0)) (i32.const 1))) ;; pinned, -1 = not
    (if (i32.ge_s (local.get $row) (i32.const 0)) (then
      (if (i32.le_u (i32.load8_u (local.get $row)) (i32.const 1)) (then ;; ready or draining
        (if (i32.eqz (call $excluded (local.get $row))) (then
          (return (i64.extend_i32_u (local.get $row)))))))))
    (block $none (loop $next
      (br_if $none (i32.ge_u (local.get $tries) (global.get $open)))
      (global.set $turn (i32.rem_u (i32.add (global.get $turn) (i32.const 1)) (global.get $open)))
      (local.set $row (i32.load16_u offset=0x10000 (i32.shl (global.get $turn) (i32.const 1))))
      (if (i32.eqz (call $excluded (local.get $row))) (then (return (i64.extend_i32_u (local.get $row)))))
      (local.set $tries (i32.add (local.get $tries) (i32.const 1)))
      (br $next)))
    (i64.const 0x100000000)) ;; abstain
)
