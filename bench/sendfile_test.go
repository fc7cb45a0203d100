package bench

import (
	"io"
	"net"
	"os"
)

// sendsFile is set in the environment of a process that is to send a file to whoever
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
