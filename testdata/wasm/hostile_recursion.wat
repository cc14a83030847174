;; A pick that calls itself for ever.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 3)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (call $deep (i32.const 0))
    i64.const 0)
  (func $deep (param i32) (call $deep (i32.add (local.get 0) (i32.const 1))))
)
