package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/ferrygo/ferry/directory"

	"github.com/ferrygo/ferry/directory/fetch"
)

// listen opens a socket for one of the parties.
func listen() (net.PacketConn, netip.AddrPort) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// openDir makes a directory for one of the peers.
func openDir(files ...string) *os.Root {
	dir, err := os.MkdirTemp("", "directory")
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("the contents of "+name), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	return root
}

// One peer shares a file; another finds it through the directory, and fetches it.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	hall, at := listen()
	defer hall.Close()
	ended := make(chan error)
	go func() {
		var s directory.Server
		err := s.Serve(ctx, hall)
		ended <- err
	}()

	// The first peer.
	sharing, leave := context.WithCancel(ctx)
	root := openDir("new.txt")
	defer os.RemoveAll(root.Name())
	conn, _ := listen()
	defer conn.Close()
	announced := make(chan bool, 1)
	p := directory.Peer{
		Root:      root,
		Publisher: &directory.Client{Conn: conn, Directory: at},
		Trace: &directory.Trace{Announced: func(directory.Event) {
			select {
			case announced <- true:
			default:
			}
		}},
	}
	if err := p.Share("new.txt"); err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { ended <- p.Serve(sharing, l) }()
	<-announced

	// The second one.
	other := openDir()
	defer os.RemoveAll(other.Name())
	conn2, _ := listen()
	defer conn2.Close()
	c := &directory.Client{Conn: conn2, Directory: at}
	var f fetch.Fetcher
	report, err := f.Fetch(ctx, other, "new.txt", "", c)
	got, _ := other.ReadFile("new.txt")
	fmt.Printf("%q, verified: %v, error: %v\n", got, report.Verified, err)

	_, err = c.Lookup(ctx, "nonsuch")
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	leave() // while the directory can hear of it
	fmt.Println(errors.Is(<-ended, context.Canceled))
	stop()
	fmt.Println(errors.Is(<-ended, context.Canceled))
	// Output:
	// "the contents of new.txt", verified: true, error: <nil>
	// directory: lookup of "nonsuch": nobody has the file true
	// true
	// true
}

func ExampleClient_View() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	hall, at := listen()
	defer hall.Close()
	go (&directory.Server{Expiry: time.Minute}).Serve(ctx, hall)

	conn, _ := listen()
	defer conn.Close()
	c := &directory.Client{Conn: conn, Directory: at}
	if err := c.Publish(ctx, netip.MustParseAddrPort("127.0.0.1:80"), []string{"new.txt", "a song.ogg"}); err != nil {
		log.Fatal(err)
	}
	contents, err := c.View(ctx)
	for _, p := range contents.Peers {
		fmt.Printf("%v %q\n", p.Addr, p.Files)
	}
	fmt.Println(contents.Total, err)
	// Output:
	// 127.0.0.1:80 ["new.txt" "a song.ogg"]
	// 1 <nil>
}

// The datagrams of the document's trace.
func ExampleParseMessage() {
	m, err := directory.ParseMessage([]byte("1 10.0.0.3 80 new.txt  1 1"))
	fmt.Println(m.Type, m.Fields, m.Seq, m.Total, err)
	// Output:
	// update [10.0.0.3 80 new.txt] 1 1 <nil>
}

func ExampleMessage_AppendBinary() {
	m := directory.Message{Type: directory.Update, Fields: []string{"10.0.0.2", "80"}, Seq: 1, Total: 1}
	b, err := m.AppendBinary(nil)
	fmt.Printf("%q, %d bytes, %v\n", b, len(b), err)
	// Output:
	// "1 10.0.0.2 80  1 1", 18 bytes, <nil>
}
