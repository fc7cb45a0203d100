package relay_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"

	"github.com/ferrygo/ferry/relay"
)

// One client receives the message of another.
func ExampleServer() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		s := relay.Server{Notices: true}
		served <- s.Serve(ctx, l)
	}()

	a, _ := net.Dial("tcp", l.Addr().String())
	defer a.Close()
	heard := bufio.NewScanner(a)
	heard.Scan()
	fmt.Println(heard.Text())

	b, _ := net.Dial("tcp", l.Addr().String())
	defer b.Close()
	fmt.Fprint(b, "hello")
	for range 2 {
		heard.Scan()
		fmt.Println(heard.Text())
	}
	stop()
	fmt.Println(<-served)
	// Output:
	// * you are 1
	// * 2 joined
	// 2: hello
	// relay: serving: context canceled
}

// A forwarder stands between a client and a server.
func ExampleForwarder() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithCancel(context.Background())
	forwarded := make(chan error)
	go func() {
		var f relay.Forwarder
		forwarded <- f.Forward(ctx, l, server.Addr().String())
	}()

	client, _ := net.Dial("tcp", l.Addr().String())
	fmt.Fprint(client, "a word")
	client.Close()
	conn, _ := server.Accept()
	buf := make([]byte, 1024)
	n, _ := conn.Read(buf)
	fmt.Printf("%s\n", buf[:n])
	conn.Close()
	stop()
	<-forwarded
	// Output:
	// a word
}

// Two peers, clients of one server, talk to each other.
func ExamplePeer() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		var s relay.Server
		served <- s.Serve(ctx, l)
	}()

	var udp [2]net.PacketConn
	for i := range udp {
		udp[i], _ = net.ListenPacket("udp", "127.0.0.1:0")
		defer udp[i].Close()
	}
	run := func(i int, say <-chan string) <-chan error {
		server, _ := net.Dial("tcp", l.Addr().String())
		other := udp[1-i].LocalAddr().(*net.UDPAddr).AddrPort()
		ended := make(chan error, 1)
		go func() {
			defer server.Close()
			var p relay.Peer
			_, err := p.Run(ctx, server, udp[i], other, say, func(m relay.Message) {
				if !m.Server {
					fmt.Println(m.Text)
				}
			})
			ended <- err
		}()
		return ended
	}
	say := make(chan string)
	a, b := run(0, say), run(1, nil)
	say <- "hello"
	say <- "exit"
	fmt.Println(<-a, <-b)
	stop()
	<-served
	// Output:
	// hello
	// <nil> <nil>
}

func ExampleParsePacket() {
	p, err := relay.ParsePacket([]byte("FC\x01\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01hi"))
	fmt.Println(p.Kind, p.Session, p.Number, string(p.Text), err)
	// Output:
	// SAY 7 1 hi <nil>
}
