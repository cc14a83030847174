;; A pick of straight-line code that copies 8 MiB 500 times.
(module
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 256)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0)
  (func (export "wedge_configure") (param i32) (result i32) i32.const 0)
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    i64.const 0
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
    call $ten
)
  (func $ten
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
    (memory.copy (i32.const 0) (i32.const 0x800000) (i32.const 0x7ffff0))
  )
)
