;; Does one thing wrong for each letter that the header x-mode may begin with, and routes to row 0
;; without it.
(module
  (import "wedge" "need" (func $need (param i32 i32 i32 i32) (result i32)))
  (import "wedge" "fail" (func $fail (param i32 i32)))
  (import "wedge" "log" (func $log (param i32 i32 i32)))
  (import "wedge" "spare" (func $spare (param i32)))
  (import "wedge" "set_header" (func $set_header (param i32 i32 i32 i32)))
  (import "wedge" "respond" (func $respond (param i32 i32 i32 i32 i32)))
  (import "wedge" "counter_add" (func $counter_add (param i32 i64) (result i64)))
  (import "wedge" "store_get" (func $store_get (param i32 i32 i32 i32) (result i32)))
  (import "wedge" "store_put" (func $store_put (param i32 i32 i32 i32 i64) (result i32)))
  (import "wedge" "store_delete" (func $store_delete (param i32 i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (func (export "wedge_abi_v1"))
  (memory (export "memory") 4)
  (func (export "wedge_frame") (param i32) (result i32) i32.const 0x10000)
  (func (export "wedge_configure") (param i32) (result i32)
    (call $need (i32.const 7) (i32.const 16) (i32.const 6) (i32.const 0)))
  (func (export "wedge_backends") (param i32) (result i32) i32.const 0)
  (func (export "wedge_pick") (param i32) (result i64)
    (local $mode i32)
    (if (i32.ne (i32.load offset=24 (i32.const 0x10000)) (i32.const -1))
      (then (local.set $mode
        (i32.load8_u offset=0x10000 (i32.load offset=20 (i32.const 0x10000))))))
    ;; a: trap: unreachable
    (if (i32.eq (local.get $mode) (i32.const 97))
      (then unreachable))
    ;; b: trap: a load out of bounds
    (if (i32.eq (local.get $mode) (i32.const 98))
      (then (drop (i32.load (i32.const -4)))))
    ;; c: trap: division by zero
    (if (i32.eq (local.get $mode) (i32.const 99))
      (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
    ;; d: trap: endless recursion
    (if (i32.eq (local.get $mode) (i32.const 100))
      (then (call $deep)))
    ;; e: exit
    (if (i32.eq (local.get $mode) (i32.const 101))
      (then (call $proc_exit (i32.const 3))))
    ;; f: a row that does not exist
    (if (i32.eq (local.get $mode) (i32.const 102))
      (then (return (i64.const 0xfffffffe))))
    ;; g: a spare that does not exist
    (if (i32.eq (local.get $mode) (i32.const 103))
      (then (call $spare (i32.const 1000000))))
    ;; h: a verdict that does not exist
    (if (i32.eq (local.get $mode) (i32.const 104))
      (then (return (i64.const 0x7700000000))))
    ;; i: reject with a status that is none
    (if (i32.eq (local.get $mode) (i32.const 105))
      (then (return (i64.const 0x02bc000200000000))))
    ;; j: respond without an answer
    (if (i32.eq (local.get $mode) (i32.const 106))
      (then (return (i64.const 0x300000000))))
    ;; k: need outside of configure
    (if (i32.eq (local.get $mode) (i32.const 107))
      (then (drop (call $need (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0)))))
    ;; l: fail outside of configure and backends
    (if (i32.eq (local.get $mode) (i32.const 108))
      (then (call $fail (i32.const 0) (i32.const 4))))
    ;; m: log: pointer outside of the memory
    (if (i32.eq (local.get $mode) (i32.const 109))
      (then (call $log (i32.const 1) (i32.const -8) (i32.const 4))))
    ;; n: log: pointer and length that overflow
    (if (i32.eq (local.get $mode) (i32.const 110))
      (then (call $log (i32.const 1) (i32.const -8) (i32.const 16))))
    ;; o: set_header: pointer outside of the memory
    (if (i32.eq (local.get $mode) (i32.const 111))
      (then (call $set_header (i32.const 0) (i32.const 4) (i32.const 0x40000) (i32.const 1))))
    ;; p: respond: length outside of the memory
    (if (i32.eq (local.get $mode) (i32.const 112))
      (then (call $respond (i32.const 200) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0x7fffffff))))
    ;; q: respond: a status that ends no exchange
    (if (i32.eq (local.get $mode) (i32.const 113))
      (then (call $respond (i32.const 101) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
    ;; r: respond: a body over the bound
    (if (i32.eq (local.get $mode) (i32.const 114))
      (then (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x10001))))
    ;; s: counter_add: a counter that does not exist
    (if (i32.eq (local.get $mode) (i32.const 115))
      (then (drop (call $counter_add (i32.const 64) (i64.const 1)))))
    ;; t: store_get: value outside of the memory
    (if (i32.eq (local.get $mode) (i32.const 116))
      (then (drop (call $store_get (i32.const 0) (i32.const 4) (i32.const 0x3ffff) (i32.const 2)))))
    ;; u: store_put: key outside of the memory
    (if (i32.eq (local.get $mode) (i32.const 117))
      (then (drop (call $store_put (i32.const -1) (i32.const 4) (i32.const 0) (i32.const 4) (i64.const 1000)))))
    ;; v: store_delete: key outside of the memory
    (if (i32.eq (local.get $mode) (i32.const 118))
      (then (call $store_delete (i32.const 0x40000) (i32.const 4))))
    ;; w: respond: a line break in the content type
    (if (i32.eq (local.get $mode) (i32.const 119))
      (then (call $respond (i32.const 200) (i32.const 8) (i32.const 6) (i32.const 0) (i32.const 0))))
    i64.const 0)
  (func $deep (call $deep))
  (data (i32.const 0) "text")
  (data (i32.const 8) "a\0d\0ab: c")
  (data (i32.const 16) "x-mode")
)
