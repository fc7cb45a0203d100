// Chat joins a TCP server and talks to another chat over UDP. It sends each line of standard input to both. The
// line "exit", the end of the input or an interrupt ends both chats.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
	"github.com/ferrygo/ferry/relay"
)

var (
	server  = flag.String("server", "", "`HOST[:PORT]` of the TCP server (default port 9000)")
	listen  = flag.String("listen", "", "UDP `address` to receive at")
	peer    = flag.String("peer", "", "UDP `HOST:PORT` of the other chat")
	verbose = flag.Bool("v", false, "print the address, and what the server sends")
	key     = seal.New("chat")
)

// exitTime is the time of an interrupted chat to end. It is a little longer than that of an exit, whose error says more.
const exitTime = relay.DefaultExitTimeout + 100*time.Millisecond

func main() { cli.Main("chat [flags] -server HOST[:PORT] -listen UDPADDR -peer UDPADDR", run) }

func run(ctx context.Context) error {
	if flag.NArg() > 0 || *server == "" || *listen == "" || *peer == "" {
		return cli.Usagef("want -server, -listen and -peer, and no arguments")
	}
	other, err := cli.Resolve([]string{*peer}, 0)
	if err != nil {
		return err
	}
	to, err := cli.HostPort(*server, 9000)
	if err != nil {
		return err
	}
	udp, err := key.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	defer udp.Close()
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	switch {
	case ctx.Err() != nil:
		return nil // interrupted before there was a chat
	case err != nil:
		return err
	}
	defer tcp.Close()
	if on, _ := key.On(); on {
		fmt.Fprintln(os.Stderr, "only UDP is sealed: what goes to the server is not")
	}
	if *verbose {
		fmt.Fprintln(os.Stderr, "chatting at", udp.LocalAddr())
	}
	chat, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	// An interrupt ends the lines of typed, and so the chat. It does not wait for a server that does not read, and no
	// longer than exitTime for the other chat.
	defer context.AfterFunc(ctx, func() {
		_ = tcp.(*net.TCPConn).CloseWrite()
		time.AfterFunc(exitTime, cancel)
	})()
	var p relay.Peer
	_, err = p.Run(chat, tcp, udp, other[0], typed(ctx, os.Stdin), hear)
	switch {
	case errors.Is(err, ferry.ErrUnconfirmed):
		fmt.Fprintln(os.Stderr, printable.Error(err))
		return nil
	case ctx.Err() != nil:
		return nil // interrupted, as is normal
	}
	return err
}

// typed returns the lines of r. It ends with r or with ctx.
func typed(ctx context.Context, r io.Reader) <-chan string {
	say, lines := make(chan string), make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewReader(r); ; {
			line, err := in.ReadString('\n')
			if line != "" {
				lines <- strings.TrimRight(line, "\r\n")
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(say)
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					return
				}
				select {
				case say <- line:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return say
}

// hear prints what the other chat says, and with -v what the server says. A server that broadcasts repeats what the
// other chat says.
func hear(m relay.Message) {
	switch text := printable.Text(m.Text); {
	case !m.Server:
		fmt.Println(text)
	case *verbose:
		fmt.Fprintln(os.Stderr, "server:", text)
	}
}
