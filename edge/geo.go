package edge

import "github.com/wedge-lb/wedge/edge/geo"

// locate reads the database of countries, unless the one that serves was read from the file as it is now. The
// file is looked at when a configuration is planned and at no other time. The old database is the garbage
// collector's once the last request that began with it has ended.
func (g *generation) locate() error {
	path := string(g.conf.GeoIP.Database)
	if path == "" {
		return nil
	}
	g.countries = g.server.countries
	if g.countries == nil || !g.countries.Same(path) {
		var err error
		if g.countries, err = geo.Open(path); err != nil {
			return g.conf.Fault("geoip.database", err.Error())
		}
	}
	g.proxy.Countries = g.countries
	return nil
}
