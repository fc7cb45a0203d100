package octoput_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing/fstest"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/octoput"
)

// listen opens a socket for one of the parties.
func listen() (net.PacketConn, netip.AddrPort) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// A file goes over sockets that lose one packet in ten.
func Example() {
	ctx := context.Background()
	photo := strings.Repeat("an octopus has eight legs ", 1000)

	at, addr := listen()
	defer at.Close()
	received := make(chan string)
	go func() {
		var r octoput.Receiver
		var got bytes.Buffer
		if _, err := r.Receive(ctx, lossy.Wrap(at, lossy.Loss(0.1), lossy.Seed(1)), &got); err != nil {
			log.Print(err)
		}
		received <- got.String()
	}()

	conn, _ := listen()
	defer conn.Close()
	var s octoput.Sender
	source := ferry.Source{R: strings.NewReader(photo), Size: int64(len(photo)), Name: "photo"}
	report, err := s.Send(ctx, lossy.Wrap(conn, lossy.Loss(0.1), lossy.Seed(2)), addr, source)
	fmt.Println(report.Bytes, "bytes in", report.Blocks, "octoblocks, error:", err)
	fmt.Println("same file:", <-received == photo)
	// Output:
	// 26000 bytes in 3 octoblocks, error: <nil>
	// same file: true
}

// The plan for a file, which sender and receiver derive from its size.
func ExampleBlocks() {
	for b := range octoput.Blocks(9627) {
		fmt.Printf("%d: %v, from byte %d, 8 octolegs of %d, %d blanks\n", b.Number, b.Kind, b.Offset, b.LegSize, b.Pad)
	}
	// Output:
	// 1: full, from byte 0, 8 octolegs of 1111, 0 blanks
	// 2: partial, from byte 8888, 8 octolegs of 92, 0 blanks
	// 3: tiny, from byte 9624, 8 octolegs of 1, 5 blanks
}

// The third octoleg, in the assignment's own notation.
func ExampleNth() {
	fmt.Println(octoput.Nth(3))
	// Output:
	// 00100000
}

// A server gives files to every client.
func ExampleReceiver_Get() {
	at, addr := listen()
	defer at.Close()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		var s octoput.Sender
		served <- s.Serve(ctx, at, ferry.FS(fstest.MapFS{"photo": {Data: []byte("an octopus")}}))
	}()

	conn, _ := listen()
	defer conn.Close()
	r := octoput.Receiver{Linger: -1}
	for _, name := range []string{"photo", "selfie"} {
		var got bytes.Buffer
		_, err := r.Get(ctx, conn, addr, name, ferry.To(&got))
		fmt.Printf("%s: %q, absent: %v\n", name, got.String(), errors.Is(err, fs.ErrNotExist))
	}
	stop()
	fmt.Println("Serve:", <-served)
	// Output:
	// photo: "an octopus", absent: false
	// selfie: "", absent: true
	// Serve: octoput: serving: context canceled
}

// Serve receives file after file; Dir keeps each under the name that its sender gives it.
func ExampleReceiver_Serve() {
	dir, err := os.MkdirTemp("", "octoput")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()

	at, addr := listen()
	defer at.Close()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		var r octoput.Receiver
		served <- r.Serve(ctx, at, &ferry.Dir{Root: root})
	}()

	conn, _ := listen()
	defer conn.Close()
	var s octoput.Sender
	for _, name := range []string{"a", "b", "a"} {
		_, err := s.Send(ctx, conn, addr, ferry.Source{R: strings.NewReader("text"), Size: 4, Name: name})
		fmt.Printf("%s: exists: %v\n", name, errors.Is(err, fs.ErrExist))
	}
	stop()
	fmt.Println("Serve:", <-served)
	// Output:
	// a: exists: false
	// b: exists: false
	// a: exists: true
	// Serve: octoput: receiving: context canceled
}

func ExampleParsePacket() {
	p, err := octoput.ParsePacket([]byte{2, 0x20, 0x9c, 0xd7, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2, ']'})
	fmt.Printf("%v %v of octoblock %d: %q %v\n", p.Type, p.Flags, p.Block, p.Payload, err)
	// Output:
	// LEG 00100000 of octoblock 2: "]" <nil>
}
