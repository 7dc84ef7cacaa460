// The smallest Go function: what a launcher does, and nothing else. Built with
// CGO_ENABLED=0 go build -trimpath -ldflags=-s -o bootstrap main.go
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	fd, err := strconv.Atoi(os.Getenv("SHIP_LISTEN_FD"))
	if err != nil {
		panic(err)
	}
	listener, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
	if err != nil {
		panic(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }
	panic(http.Serve(listener, http.HandlerFunc(handler)))
}
