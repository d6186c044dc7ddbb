// SPDX-License-Identifier: Apache-2.0

// A host as Containarium 0.16 has them: `containarium_host ADDRESS HELLO` says the hello in clear, prints the
// answer, and serves streams of yamux, each to the port of this machine that its first two bytes name.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/hashicorp/yamux"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// As the original: what ends first ends both.
func serve(stream net.Conn) {
	defer stream.Close()
	var port uint16
	if binary.Read(stream, binary.BigEndian, &port) != nil {
		return
	}
	local, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return
	}
	defer local.Close()
	done := make(chan struct{}, 2)
	carry := func(to io.Writer, from io.Reader) {
		io.Copy(to, from)
		done <- struct{}{}
	}
	go carry(local, stream)
	go carry(stream, local)
	<-done
}

// What follows the answer belongs to yamux, and some of it may have been read already.
type buffered struct {
	*bufio.Reader
	net.Conn
}

func (b buffered) Read(p []byte) (int, error) { return b.Reader.Read(p) }

func main() {
	connection, err := net.Dial("tcp", os.Args[1])
	check(err)
	_, err = io.WriteString(connection, os.Args[2]+"\n")
	check(err)
	reader := bufio.NewReader(connection)
	answer, err := reader.ReadString('\n')
	check(err)
	fmt.Print(answer)
	session, err := yamux.Server(buffered{reader, connection}, nil)
	check(err)
	for {
		stream, err := session.Accept()
		check(err)
		go serve(stream)
	}
}
