;; A pick that lets the memory grow page by page, and then by nothing, for ever.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 3)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (loop $m (drop (memory.grow (i32.const 0))) (br $m))
    i64.const 0)
)
