package bench

import (
	"io"
	"net"
	"os"
	"testing"
)

// TestMain runs this program as one of the bare ones that it races against, where the
// environment says so.
func TestMain(m *testing.M) {
	if to := os.Getenv(copyTo); to != "" {
		barePair(os.Args[1], to)
		return
	}
	if file := os.Getenv(sendsFile); file != "" {
		bareSender(os.Args[1], file)
		return
	}
	os.Exit(m.Run())
}

// sendsFile is set in the environment of a process that sends a file to every client that
// connects.
const sendsFile = "FERRY_BENCH_SENDS_FILE"

// bareSender sends a file to each connection with nothing but io.Copy, which is sendfile.
func bareSender(listen, name string) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		io.Copy(c, f)
		f.Close()
		c.Close()
	}
}
