package config

// File is the name of a file, written PATH or file:PATH; once parsed it is
// absolute, or relative to Options.Dir if that was relative. "" = not given.
type File string

// Dir is the name of a directory; it is resolved like a File.
type Dir string

// Output is where a log goes: stdout, stderr or the name of a file, resolved
// like a File.
type Output string
