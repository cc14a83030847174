;; Asks by one call for the loads of two rows, and of one that the table does not have, and sends the request to
;; the less loaded of the two. The method says what to do wrong: G nothing, P a bad pointer, T too many records.
(module
  (import "wedge" "need" (func $need (param i32 i32 i32 i32) (result i32)))
  (import "wedge" "loads" (func $loads (param i32 i32)))
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 4)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10000)
  (func (export "wedge_configure") (param i32) (result i32)
    (call $need (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0)))
  (func $ask
    (i32.store (i32.const 0x100) (i32.const 0))
    (i32.store (i32.const 0x110) (i32.const 1))
    (i32.store (i32.const 0x120) (i32.const 99))
    (call $loads (i32.const 0x100) (i32.const 3))
    (if (i32.ne (i32.load (i32.const 0x124)) (i32.const -1)) (then unreachable))
    (if (i64.ne (i64.load (i32.const 0x128)) (i64.const -1)) (then unreachable)))
  (func (export "wedge_backends") (param i32) (result i32) ;; the new table's rows answer already
    (call $ask)
    (i32.lt_s (i32.load (i32.const 0x104)) (i32.const 0)))
  (func (export "wedge_pick") (param i32) (result i64)
    (local $method i32)
    (local.set $method (i32.load8_u (i32.add (i32.const 0x10000) (i32.load (i32.const 0x10014)))))
    (if (i32.eq (local.get $method) (i32.const 0x50)) (then (call $loads (i32.const 0x3fff8) (i32.const 1))))
    (if (i32.eq (local.get $method) (i32.const 0x54)) (then (call $loads (i32.const 0x100) (i32.const 65))))
    (call $ask)
    (if (i64.gt_s (i64.load (i32.const 0x108)) (i64.load (i32.const 0x118))) (then (return (i64.const 1))))
    (i64.extend_i32_u (i32.gt_s (i32.load (i32.const 0x104)) (i32.load (i32.const 0x114)))))
)
