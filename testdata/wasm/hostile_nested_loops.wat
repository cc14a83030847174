;; A pick of loops in loops, each of a million turns.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 3)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (local $a i32) (local $b i32) (local $c i32)
    (local.set $a (i32.const 1000000))
    (loop $x
      (local.set $b (i32.const 1000000))
      (loop $y
        (local.set $c (i32.const 1000000))
        (loop $z
          (br_if $z (local.tee $c (i32.sub (local.get $c) (i32.const 1)))))
        (br_if $y (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
      (br_if $x (local.tee $a (i32.sub (local.get $a) (i32.const 1)))))
    i64.const 0)
)
