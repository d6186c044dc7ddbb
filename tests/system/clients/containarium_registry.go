// SPDX-License-Identifier: Apache-2.0

// A daemon of Containarium's as its sentinel's registry sees it: `containarium_registry ADDRESS TOKEN METHOD PATH [BODY]`
// asks once, reads the answer into the structs that 0.16 has, refusing any other field, and prints status and answer.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

type claim struct {
	Pool      string   `json:"pool"`
	Hostname  string   `json:"hostname"`
	Aliases   []string `json:"aliases,omitempty"`
	IP        string   `json:"ip,omitempty"`
	Port      int      `json:"port"`
	BackendID string   `json:"backend_id,omitempty"`
}

type primary struct {
	Pool          string    `json:"pool"`
	Hostname      string    `json:"hostname"`
	Aliases       []string  `json:"aliases,omitempty"`
	IP            string    `json:"ip"`
	Port          int       `json:"port"`
	BackendID     string    `json:"backend_id,omitempty"`
	RegisteredAt  time.Time `json:"registered_at"`
	LastHeartbeat time.Time `json:"last_heartbeat"`
}

type peer struct {
	ID        string `json:"id"`
	ProxyPath string `json:"proxy_path"`
	Healthy   bool   `json:"healthy"`
	Pool      string `json:"pool,omitempty"`
}

type refusal struct {
	Error string `json:"error"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// What the answer to such a request is read into.
func shapeOf(method, path string, status int) any {
	switch {
	case status >= 400:
		return &refusal{}
	case method == "GET" && strings.HasPrefix(path, "/sentinel/peers"):
		return &struct {
			Peers []peer `json:"peers"`
		}{}
	case method == "GET":
		return &struct {
			Primaries []primary `json:"primaries"`
		}{}
	default:
		return &primary{}
	}
}

func main() {
	address, token, method, path := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	var body io.Reader
	if len(os.Args) > 5 {
		var said claim
		check(json.Unmarshal([]byte(os.Args[5]), &said))
		text, err := json.Marshal(said)
		check(err)
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, "http://"+address+path, body)
	check(err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Do(request)
	check(err)
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNoContent {
		fmt.Printf("%d null\n", answer.StatusCode)
		return
	}
	told := shapeOf(method, path, answer.StatusCode)
	decoder := json.NewDecoder(answer.Body)
	if answer.StatusCode < 400 {
		decoder.DisallowUnknownFields()
	}
	check(decoder.Decode(told))
	text, err := json.Marshal(told)
	check(err)
	fmt.Printf("%d %s\n", answer.StatusCode, text)
}
