package plugin

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/tetratelabs/wazero"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// A compileJob is what a compiling child is asked for, its one argument in JSON.
type compileJob struct {
	Dir    string // where the compiled code goes; "" = nowhere, it is a trial
	Limits Limits
	Memory int64 // bytes that the child may use; 0 = any
	CPU    int64 // seconds of processor time that it may use; 0 = any
}

// A compileAnswer is what a child that came to an end writes, in JSON.
type compileAnswer struct {
	Refused  string // why the module is refused, with the step; "" = it is not
	Metered  string // the digest of the module that was compiled, which is not the one that was given
	Unstored string // why Dir does not hold the code; "" = it does
}

// Compile is all that a compiling child does: it bounds itself by the job that its one argument is, reads a module
// from in, checks, meters and compiles it into the job's directory and writes an answer to out. A Host starts such
// a child by Options.Compiler; nobody else has a use for it. It changes the limits of its process.
func Compile(args []string, in io.Reader, out io.Writer) error {
	var job compileJob
	if len(args) != 1 {
		return errors.New("compile: this is for the edge itself, which gives one argument")
	}
	if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
		return fmt.Errorf("compile: the argument: %w", err)
	}
	native := canExecute() // before the limits, which must not make an interpreter of the engine
	if err := boundProcess(job); err != nil {
		return fmt.Errorf("compile: limits: %w", err)
	}
	if job.Memory > 0 {
		debug.SetMemoryLimit(job.Memory * 3 / 4) // the collector works harder before the kernel says no
	}
	wasm, err := io.ReadAll(io.LimitReader(in, abi.MaxModuleSize+1))
	if err != nil {
		return fmt.Errorf("compile: the module: %w", err)
	}
	return json.NewEncoder(out).Encode(job.do(wasm, native))
}

func (j compileJob) do(wasm []byte, native bool) compileAnswer {
	if err := checkSize(wasm); err != nil {
		return compileAnswer{Refused: fmt.Sprintf("check: %s", err)}
	}
	var a compileAnswer
	cache, err := j.open()
	if err != nil {
		a.Unstored = err.Error()
	}
	metered, err := j.compile(wasm, cache)
	var admission *admissionError
	if err != nil && cache != nil && !errors.As(err, &admission) {
		a.Unstored = err.Error() // it may be the directory's fault
		metered, err = j.compile(wasm, nil)
	}
	if err != nil {
		return compileAnswer{Refused: err.Error()}
	}
	if _, err := compiledFile(j.Dir); err != nil && native && j.Dir != "" && a.Unstored == "" {
		return compileAnswer{Refused: "compile: the limit of memory leaves no room for code"}
	}
	a.Metered = hex.EncodeToString(metered[:])
	return a
}

// open is nil without an error if the job has no directory.
func (j compileJob) open() (wazero.CompilationCache, error) {
	if j.Dir == "" {
		return nil, nil
	}
	return wazero.NewCompilationCacheWithDir(j.Dir)
}

// compile gives the digest of what was compiled.
func (j compileJob) compile(wasm []byte, cache wazero.CompilationCache) (digest [32]byte, err error) {
	h := &Host{opt: Options{}.withDefaults(), cache: cache}
	m, err := h.load(context.Background(), "plugin", wasm, j.Limits, loading{cache: cache})
	if err != nil {
		return digest, err
	}
	return m.digest, m.Close(context.Background())
}
