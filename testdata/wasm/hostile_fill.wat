;; A pick that fills 16 MiB for ever.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 256)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x1000000)) (br $l))
    i64.const 0)
)
