package tftp_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/netip"
	"strings"
	"testing/fstest"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/tftp"
)

// listen opens a socket for one of the parties.
func listen() (net.PacketConn, netip.AddrPort) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// A server of any fs.FS, and a client.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	at, server := listen()
	defer at.Close()
	s := tftp.Server{Opener: ferry.FS(fstest.MapFS{"motd": {Data: []byte("hello\n")}})}
	served := make(chan error)
	go func() { served <- s.Serve(ctx, at) }()

	conn, _ := listen()
	defer conn.Close()
	var c tftp.Client
	var got strings.Builder
	report, err := c.Get(ctx, conn, server, "/motd", ferry.To(&got))
	fmt.Printf("%q, %d bytes, error: %v\n", got.String(), report.Bytes, err)

	_, err = c.Get(ctx, conn, server, "nonsuch", ferry.To(&got))
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	stop()
	fmt.Println(<-served)
	// Output:
	// "hello\n", 6 bytes, error: <nil>
	// tftp: nonsuch: tftp: the other side says: file not found true
	// tftp: serving: context canceled
}

// An opener that makes its files up.
func ExampleServer_opener() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	at, server := listen()
	defer at.Close()
	s := tftp.Server{Opener: greeter{}}
	served := make(chan error)
	go func() { served <- s.Serve(ctx, at) }()

	conn, _ := listen()
	defer conn.Close()
	var got strings.Builder
	_, err := (&tftp.Client{}).Get(ctx, conn, server, "world", ferry.To(&got))
	fmt.Println(got.String(), err)
	_, err = (&tftp.Client{}).Put(ctx, conn, server, "world", ferry.Source{R: strings.NewReader("x"), Size: 1})
	fmt.Println(err)
	stop()
	<-served
	// Output:
	// hello world <nil>
	// tftp: world: tftp: the other side says: access violation
}

type greeter struct{}

func (greeter) Open(_ context.Context, r ferry.Request) (ferry.Source, error) {
	text := "hello " + r.Name
	return ferry.Source{R: strings.NewReader(text), Size: int64(len(text))}, nil
}

func ExampleParsePacket() {
	p, err := tftp.ParsePacket([]byte("\x00\x03\x00\x01ab"), false)
	fmt.Printf("%v %d %q %v\n", p.Op, p.Block, p.Payload, err)
	// Output:
	// DATA 1 "ab" <nil>
}
