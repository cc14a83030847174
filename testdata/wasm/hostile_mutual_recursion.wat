;; A pick of two functions that call each other for ever, with many results on their stacks.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 3)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (drop (call $a (i64.const 0)))
    i64.const 0)
  (func $a (param i64) (result i64) (i64.add (local.get 0) (call $b (i64.add (local.get 0) (i64.const 1)))))
  (func $b (param i64) (result i64) (i64.mul (local.get 0) (call $a (i64.sub (local.get 0) (i64.const 1)))))
)
