// SPDX-License-Identifier: Apache-2.0

// What tests/bench/tunnel.py compares with: a front and a host with hashicorp/yamux over TLS 1.3, and nothing else.
//
//	yamux_pair front VISITORS TUNNEL CERTIFICATE KEY
//	yamux_pair host TUNNEL BACKEND CERTIFICATE
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/hashicorp/yamux"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func join(one, other net.Conn) {
	defer one.Close()
	defer other.Close()
	done := make(chan struct{}, 2)
	carry := func(to, from net.Conn) {
		io.Copy(to, from)
		done <- struct{}{}
	}
	go carry(one, other)
	go carry(other, one)
	<-done
}

func front(visitors, tunnel, certificate, key string) {
	own, err := tls.LoadX509KeyPair(certificate, key)
	check(err)
	hosts, err := tls.Listen("tcp", tunnel, &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13})
	check(err)
	listener, err := net.Listen("tcp", visitors)
	check(err)
	fmt.Println("ready")
	host, err := hosts.Accept()
	check(err)
	session, err := yamux.Client(host, nil)
	check(err)
	for {
		visitor, err := listener.Accept()
		check(err)
		go func() {
			stream, err := session.Open()
			if err != nil {
				visitor.Close()
				return
			}
			join(visitor, stream)
		}()
	}
}

func host(tunnel, backend, certificate string) {
	pem, err := os.ReadFile(certificate)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	connection, err := tls.Dial("tcp", tunnel, &tls.Config{RootCAs: pool, ServerName: "front.test", MinVersion: tls.VersionTLS13})
	check(err)
	session, err := yamux.Server(connection, nil)
	check(err)
	fmt.Println("ready")
	for {
		stream, err := session.Accept()
		check(err)
		go func() {
			service, err := net.Dial("tcp", backend)
			if err != nil {
				stream.Close()
				return
			}
			join(stream, service)
		}()
	}
}

func main() {
	if os.Args[1] == "front" {
		front(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	}
	host(os.Args[2], os.Args[3], os.Args[4])
}
