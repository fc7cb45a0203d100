package p2mp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
	"github.com/ferrygo/ferry/p2mp"
)

// listen opens a socket for one of the parties.
func listen() (net.PacketConn, netip.AddrPort) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// A file goes to two receivers over sockets that lose one packet in ten.
func Example() {
	ctx := context.Background()
	file := strings.Repeat("the quick brown fox ", 1000)

	var to []netip.AddrPort
	sums := make(chan [32]byte)
	for seed := range uint64(2) {
		conn, addr := listen()
		defer conn.Close()
		to = append(to, addr)
		go func() {
			var r p2mp.Receiver
			var got bytes.Buffer
			if _, err := r.Receive(ctx, lossy.Wrap(conn, lossy.Loss(0.1), lossy.Seed(seed)), &got); err != nil {
				log.Print(err)
			}
			sums <- sha256.Sum256(got.Bytes())
		}()
	}

	conn, _ := listen()
	defer conn.Close()
	var s p2mp.Sender
	source := ferry.Source{R: strings.NewReader(file), Size: int64(len(file))}
	report, err := s.Send(ctx, lossy.Wrap(conn, lossy.Loss(0.1), lossy.Seed(9)), to, source)
	fmt.Println(report.Bytes, "bytes in", report.Chunks, "chunks, error:", err)

	want := sha256.Sum256([]byte(file))
	for range to {
		fmt.Println("same file:", <-sums == want)
	}
	// Output:
	// 20000 bytes in 15 chunks, error: <nil>
	// same file: true
	// same file: true
}

// Serve receives file after file; Dir keeps each as a whole file.
func ExampleReceiver_Serve() {
	dir, err := os.MkdirTemp("", "p2mp")
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
		var r p2mp.Receiver
		served <- r.Serve(ctx, at, &ferry.Dir{Root: root})
	}()

	for _, text := range []string{"first", "second"} {
		conn, _ := listen()
		var s p2mp.Sender
		if _, err := s.Send(ctx, conn, []netip.AddrPort{addr}, ferry.Source{R: strings.NewReader(text), Size: int64(len(text)), Name: text}); err != nil {
			log.Print(err)
		}
		conn.Close()
	}
	stop()
	fmt.Println("Serve:", <-served)

	files, _ := os.ReadDir(dir)
	for _, f := range files {
		fmt.Println(f.Name())
	}
	// Output:
	// Serve: p2mp: receiving: context canceled
	// first
	// second
}

// A source whose digest is known beforehand can be resumed by those who received a part.
func ExampleSource_Digest() {
	file := strings.NewReader("the quick brown fox")
	source := ferry.Source{R: file, Size: file.Size(), Name: "fox"}
	if err := source.Digest(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", source.SHA256[:8])
	// Output:
	// 9ecb36561341d18e
}

// An error names the receivers that did not get the file.
func ExampleIncompleteError() {
	conn, _ := listen()
	defer conn.Close()
	_, nobody := listen() // a socket that nobody reads
	s := p2mp.Sender{JoinTimeout: time.Second, Classic: true}
	_, err := s.Send(context.Background(), conn, []netip.AddrPort{nobody}, ferry.Source{R: strings.NewReader("hello"), Size: 5})
	var incomplete *p2mp.IncompleteError
	if errors.As(err, &incomplete) {
		for _, p := range incomplete.Peers {
			fmt.Println(p.Addr == nobody, errors.Is(p, ferry.ErrNoAnswer), "lacks chunk", p.Seq)
		}
	}
	// Output:
	// true true lacks chunk 1
}

func ExampleParsePacket() {
	p, err := p2mp.ParsePacket([]byte{0, 0, 0, 1, 0x49, 0x47, 0x55, 0x55, 'a', 'b'})
	fmt.Printf("%v %d %q %v\n", p.Category, p.Seq, p.Payload, err)
	// Output:
	// DATA 1 "ab" <nil>
}

func ExamplePacket_AppendBinary() {
	ack := p2mp.Packet{Seq: 1, Category: p2mp.CategoryAck}
	b, err := ack.AppendBinary(nil)
	fmt.Printf("% x %v\n", b, err)
	// Output:
	// 00 00 00 01 55 54 aa aa <nil>
}

// The lines of the P2MP-FTP report.
func ExamplePrintTrace() {
	trace := p2mp.PrintTrace(os.Stdout)
	trace.Timeout(p2mp.PacketEvent{Addr: netip.MustParseAddrPort("10.0.0.2:7735"), Seq: 17})
	// Output:
	// Timeout, sequence number = 17
}
