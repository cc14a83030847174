package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nginxHead is common to nginx as a backend and as a contender: one worker, no log, nothing outside of dir.
func nginxHead(dir string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // the folder is its owner's alone
	}
	return user + strings.ReplaceAll(`daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid DIR/nginx.pid;
error_log stderr error;
events { worker_connections 12000; }
http {
  access_log off;
  server_tokens off;
  default_type text/plain;
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
`, "DIR", dir)
}

func nginxLaunch(program, dir, conf string) (launch, error) {
	s := site{dir: dir}
	path, err := s.file("nginx.conf", conf)
	return launch{args: []string{program, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", path}}, err
}

// nginxPeer proxies by nginx. What the edge sets for backends it sets too; large answers go through memory.
func nginxPeer(program string, s site) (launch, error) {
	var c strings.Builder
	c.WriteString(nginxHead(s.dir))
	c.WriteString("  upstream backends {\n")
	for _, b := range s.backends {
		fmt.Fprintf(&c, "    server %s;\n", b)
	}
	c.WriteString(`    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
  }
  server {
`)
	if s.secure {
		fmt.Fprintf(&c, `    listen %s ssl http2 backlog=4096;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve X25519;
`, s.address(), s.pair.certificate, s.pair.key)
	} else {
		fmt.Fprintf(&c, "    listen %s backlog=4096;\n", s.address())
	}
	c.WriteString(`    location / {
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_max_temp_file_size 0;
      proxy_buffers 8 32k;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
    }
  }
}
`)
	return nginxLaunch(program, s.dir, c.String())
}
