package config

// Options are what Parse may read beside the document.
type Options struct {
	Dir       string                                    // relative file names start here; default: the working directory
	ReadFile  func(name string) ([]byte, error)         // default: os.ReadFile, bounded
	LookupEnv func(name string) (value string, ok bool) // default: os.LookupEnv
}
