;; A pick that fills and copies a table for ever.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 3)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (loop $l
      (table.fill 0 (i32.const 0) (ref.null func) (i32.const 4096))
      (table.copy (i32.const 0) (i32.const 2048) (i32.const 2048))
      (table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 1))
      (br $l))
    i64.const 0)
  (table 4096 funcref)
  (elem $e func 0)
)
