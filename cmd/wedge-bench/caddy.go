package main

import "encoding/json"

type object = map[string]any

// caddyPeer proxies by Caddy, on one processor.
func caddyPeer(program string, s site) (launch, error) {
	var upstreams []object
	for _, b := range s.backends {
		upstreams = append(upstreams, object{"dial": b})
	}
	proxy := object{
		"handler":        "reverse_proxy",
		"upstreams":      upstreams,
		"load_balancing": object{"selection_policy": object{"policy": "round_robin"}},
		"transport": object{"protocol": "http", "compression": false,
			"keep_alive": object{"enabled": true, "max_idle_conns_per_host": 256}},
	}
	server := object{
		"listen":          []string{s.address()},
		"automatic_https": object{"disable": true},
		"routes":          []object{{"handle": []object{proxy}}},
	}
	apps := object{"http": object{"servers": object{"bench": server}}}
	if s.secure {
		server["tls_connection_policies"] = []object{{"protocol_min": "tls1.3", "curves": []string{"x25519"}}}
		apps["tls"] = object{"certificates": object{
			"load_files": []object{{"certificate": s.pair.certificate, "key": s.pair.key}},
		}}
	}
	text, err := json.MarshalIndent(object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"logging": object{"logs": object{"default": object{"level": "ERROR"}}},
		"apps":    apps,
	}, "", "  ")
	if err != nil {
		return launch{}, err
	}
	path, err := s.file("caddy.json", string(text))
	return launch{
		args: []string{program, "run", "--config", path},
		env:  append(oneProcessor(), "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir),
	}, err
}

// oneProcessor are the settings of a Go program for one processor.
func oneProcessor() []string {
	return []string{"GOMAXPROCS=1", "GOGC=100", "GODEBUG=", "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true"}
}
