package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below those that Linux gives to clients, so that no connection of a load takes one meanwhile.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePort finds a port of 127.0.0.1 that is free for TCP and UDP now.
func freePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", address)
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		return port, nil
	}
	return 0, errors.New("no free port")
}
