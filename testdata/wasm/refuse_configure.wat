;; Refuses its options with a text that should not reach a terminal.
(module
  (import "wedge" "fail" (func $fail (param i32 i32)))
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 4)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10000)
  (func (export "wedge_configure") (param i32) (result i32)
    (call $fail (i32.const 0) (i32.const 4000))
    i32.const 1)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64) i64.const 0)
  (data (i32.const 0) "option \1b[31mcolour\0a\00: unknown \ff")
)
