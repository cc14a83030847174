;; Grows its memory by a page in each pick, as far as it may.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 4)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10000)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (drop (memory.grow (i32.const 1)))
    i64.const 0)
)
