;; A pick that takes references of functions for ever.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 3)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (loop $l (drop (ref.func $f)) (br $l))
    i64.const 0)
  (func $f)
  (table 1 funcref)
  (elem (i32.const 0) $f)
)
