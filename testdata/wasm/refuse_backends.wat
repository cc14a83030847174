;; Refuses tables of more than three rows.
(module
  (import "wedge" "fail" (func $fail (param i32 i32)))
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 4)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10000)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32)
    (if (i32.gt_u (i32.load (i32.const 0x10004)) (i32.const 3))
      (then (call $fail (i32.const 0) (i32.const 13)) (return (i32.const 1))))
    i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64) i64.const 0)
  (data (i32.const 0) "too many rows")
)
