// Package attic is a fixture that the table does not know.
package attic
