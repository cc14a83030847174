package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// MaxSize bounds a database file, in bytes.
const MaxSize = 1 << 30

// A Database tells the country of an address. It is immutable, safe for concurrent use and needs no Close:
// the garbage collector frees it behind its last reader.
type Database struct {
	reader    *maxminddb.Reader
	countries map[uintptr]string // by offset of the record
	file      stamp
}

// stamp is what tells one version of a file from the next without reading it.
type stamp struct {
	path     string
	size     int64
	modified time.Time
}

// Open reads the database at path and looks at each of its records. A file that is no database, is damaged or
// tells no country is an error.
func Open(path string) (*Database, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxSize {
		return nil, fmt.Errorf("%s: want a file of at most %d bytes", path, MaxSize)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d := &Database{reader: reader, file: stampOf(path, info)}
	if err := d.index(); err != nil {
		return nil, fmt.Errorf("%s: database of type %q: %w", path, reader.Metadata.DatabaseType, err)
	}
	return d, nil
}

func stampOf(path string, info os.FileInfo) stamp { return stamp{path, info.Size(), info.ModTime()} }

// Same tells whether the file at path is the one that d was read from, as far as its size and time tell.
func (d *Database) Same(path string) bool {
	info, err := os.Stat(path)
	return err == nil && stampOf(path, info) == d.file
}

var (
	errTree    = errors.New("its tree is damaged: want a good copy")
	errNothing = errors.New("it tells no country: want one with country.iso_code, such as GeoLite2-Country")
)

// aliases is how often at most the IPv4 part of a tree is in it: also as mapped, 6to4 and Teredo addresses.
const aliases = 8

// index notes the country of each record. A tree of n nodes has at most n+1 leaves but for its aliases; one
// that leads to more is none, and could be followed without end.
func (d *Database) index() error {
	d.countries = map[uintptr]string{}
	seen, names := map[uintptr]bool{}, map[string]string{}
	leaves := aliases * (d.reader.Metadata.NodeCount + 1)
	every := d.reader.Networks(maxminddb.IncludeNetworksWithoutData(), maxminddb.IncludeAliasedNetworks())
	for network := range every {
		if leaves--; network.Err() != nil || leaves == 0 {
			return errors.Join(errTree, network.Err())
		}
		at := network.Offset()
		if !network.Found() || seen[at] {
			continue
		}
		seen[at] = true
		code, err := country(network)
		if err != nil {
			return fmt.Errorf("record of %s: %w", network.Prefix(), err)
		}
		if code != "" {
			d.countries[at] = intern(names, code)
		}
	}
	if len(d.countries) == 0 {
		return errNothing
	}
	return nil
}

// intern gives the one copy of s that names holds.
func intern(names map[string]string, s string) string {
	if one, ok := names[s]; ok {
		return one
	}
	names[s] = s
	return s
}

// country is where the address is, or if that is not known where it is registered.
func country(r maxminddb.Result) (string, error) {
	for _, name := range [...]string{"country", "registered_country"} {
		var code string
		if err := r.DecodePath(&code, name, "iso_code"); err != nil {
			return "", err
		}
		if isCode(code) {
			return code, nil
		}
	}
	return "", nil
}

// isCode tells whether s has the form of an ISO 3166-1 alpha-2 code.
func isCode(s string) bool {
	return len(s) == 2 && 'A' <= s[0] && s[0] <= 'Z' && 'A' <= s[1] && s[1] <= 'Z'
}

// Country is the ISO 3166 code of where a is, in capitals; "" = it is not known. It does not allocate.
func (d *Database) Country(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	found := d.reader.Lookup(a)
	if !found.Found() {
		return ""
	}
	return d.countries[found.Offset()]
}
