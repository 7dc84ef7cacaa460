package handler

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func init() {
	switch filepath.Dir(os.Getenv("SHIP_FUNCTION")) {
	case "api/slow":
		time.Sleep(9 * time.Second)
	case "api/deaf":
		fmt.Println("waiting for nothing")
		time.Sleep(time.Hour)
	}
}

var (
	asked atomic.Int32
	kept  [][]byte
	files []*os.File
)

// Runs a line of the shell in a session of its own.
func run(line string) {
	command := exec.Command("/bin/sh", "-c", line)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		panic(err)
	}
}

// Whatever a path is: what is in it.
func read(path string) (string, error) {
	if entries, err := os.ReadDir(path); err == nil {
		return fmt.Sprint(entries), nil
	}
	content, err := os.ReadFile(path)
	return string(content), err
}

func Misbehave(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	answer := func(text string, err error) {
		if err != nil {
			w.WriteHeader(http.StatusForbidden)
			text = err.Error()
		}
		fmt.Fprintln(w, text)
	}
	say := func(text string, more ...string) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer connection.Close()
		for _, text := range append([]string{text}, more...) {
			if _, err := io.WriteString(connection, text); err != nil {
				return
			}
		}
	}
	switch query.Get("do") {
	case "never":
		time.Sleep(time.Hour)
	case "busy":
		for {
		}
	case "throw":
		panic("thrown")
	case "exit":
		os.Exit(3)
	case "halfway":
		fmt.Fprintln(w, "begun")
		w.(http.Flusher).Flush()
		os.Exit(3)
	case "every-second":
		if asked.Add(1)%2 == 0 {
			os.Exit(3)
		}
		answer("behaved", nil)
	case "segfault":
		syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		time.Sleep(time.Hour)
	case "daemon":
		run("(sleep 1000 &)")
		answer("behaved", nil)
	case "outlive":
		run("(while :; do echo still here; sleep 0.01; done &)")
		time.Sleep(time.Hour)
	case "fork":
		run("while :; do sleep 1000 & done")
		time.Sleep(time.Hour)
	case "storm":
		signal.Ignore(syscall.SIGCHLD)
		for range 4 {
			go func() {
				for {
					child, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
					if child == 0 {
						syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
					}
				}
			}()
		}
		time.Sleep(time.Hour)
	case "ignore":
		signal.Ignore(syscall.SIGTERM)
		run("trap '' TERM; (sleep 1000 &)")
		answer("behaved", nil)
	case "flood":
		for range 64 {
			io.WriteString(os.Stdout, strings.Repeat("x", 1<<20))
		}
		answer("flooded", nil)
	case "descriptors":
		for {
			file, err := os.Open("/dev/null")
			if err != nil {
				break
			}
			files = append(files, file)
		}
		answer(fmt.Sprint(len(files)), nil)
	case "tmp":
		file, err := os.Create("/tmp/filler")
		megabytes := 0
		for err == nil {
			if _, err = file.Write(make([]byte, 1<<20)); err == nil {
				megabytes++
			}
		}
		answer(fmt.Sprint(megabytes), nil)
	case "memory":
		for {
			kept = append(kept, []byte(strings.Repeat("x", 1<<20)))
		}
	case "spin":
		for range runtime.NumCPU() {
			go func() {
				for {
				}
			}()
		}
		time.Sleep(time.Hour)
	case "two-lengths":
		say("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")
	case "status-42":
		say("HTTP/1.1 42 Odd\r\ncontent-length: 0\r\n\r\n")
	case "short":
		say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot a hundred")
	case "long":
		say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsmuggled\n")
	case "headers":
		megabyte := strings.Repeat("x-flood: "+strings.Repeat("x", 53)+"\r\n", 1<<14)
		more := make([]string, 1<<10)
		for i := range more {
			more[i] = megabyte
		}
		say("HTTP/1.1 200 OK\r\n", more...)
	case "read":
		answer(read(query.Get("path")))
	case "connect":
		_, err := net.Dial("unix", query.Get("path"))
		answer("connected", err)
	case "dial":
		_, err := net.DialTimeout("tcp", query.Get("to"), 5*time.Second)
		answer("connected", err)
	case "signal":
		var process int
		fmt.Sscan(query.Get("process"), &process)
		answer("there", syscall.Kill(process, 0))
	case "processes":
		paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range paths {
			line, _ := os.ReadFile(path)
			fmt.Fprintln(w, strings.ReplaceAll(string(line), "\x00", " "))
		}
	default:
		answer("behaved", nil)
	}
}
