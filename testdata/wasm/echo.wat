;; Shows what the host wrote. The options are a list of needs: kind, form, length of the name (a byte
;; each) and name; an opening brace ends it. A pick answers with the request's frame, or with the table
;; if the attempt is 99. The address of the frame is an odd one.
(module
  (import "wedge" "need" (func $need (param i32 i32 i32 i32) (result i32)))
  (import "wedge" "respond" (func $respond (param i32 i32 i32 i32 i32)))
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 16)
  (global $table (mut i32) (i32.const 0))
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10001)
  (func (export "wedge_configure") (param $len i32) (result i32)
    (local $at i32)
    (local.set $at (i32.const 0x10001))
    (local.set $len (i32.add (local.get $len) (local.get $at)))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $at) (local.get $len)))
        (br_if $end (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x7b)))
        (drop (call $need
          (i32.load8_u (local.get $at))
          (i32.add (local.get $at) (i32.const 3))
          (i32.load8_u offset=2 (local.get $at))
          (i32.load8_u offset=1 (local.get $at))))
        (local.set $at (i32.add
          (i32.add (local.get $at) (i32.const 3))
          (i32.load8_u offset=2 (local.get $at))))
        (br $next)))
    i32.const 0)
  (func (export "wedge_backends") (param $len i32) (result i32)
    (global.set $table (local.get $len))
    (memory.copy (i32.const 0x80000) (i32.const 0x10001) (local.get $len))
    i32.const 0)
  (func (export "wedge_pick") (param $len i32) (result i64)
    (if (i32.eq (i32.load (i32.const 0x10001)) (i32.const 99))
      (then (call $respond
        (i32.const 200) (i32.const 0) (i32.const 10) (i32.const 0x80000) (global.get $table)))
      (else (call $respond
        (i32.const 200) (i32.const 0) (i32.const 10) (i32.const 0x10001) (local.get $len))))
    i64.const 0x300000000)
  (data (i32.const 0) "text/plain")
)
