// Peer shares files with other peers, which find each other through a directory (see
// directoryd), and gets files from them. With no other flag it shows a menu on standard
// output and takes choices from standard input; when that ends it serves on until it is
// interrupted.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/directory/fetch"
	"github.com/ferrygo/ferry/directory/gnutella"
	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/examples/internal/fetchbar"
	"github.com/ferrygo/ferry/examples/internal/printable"
	"github.com/ferrygo/ferry/examples/internal/seal"
)

var (
	at      = flag.String("directory", fmt.Sprintf("127.0.0.1:%d", directory.DefaultPort), "`HOST:PORT` of the directory")
	listen  = flag.String("listen", ":8080", "`address` to serve files at, over HTTP")
	dir     = flag.String("dir", ".", "`directory` of the files, shared and received")
	view    = flag.Bool("view", false, "print what the directory holds, and exit")
	find    = flag.String("find", "", "print the peers that have the file `NAME`, and exit")
	get     = flag.String("get", "", "get the file `NAME` from all peers that have it, and exit")
	out     = flag.String("o", "", "with -get, store it as `FILE`")
	all     = flag.Bool("all", false, "share all files of -dir")
	sum     = flag.String("sha256", "", "with -get, the digest that the file must have, in `HEX`adecimal digits")
	maxSize = cli.MaxSize("refuse files of more than this many `BYTES`")
	verbose = flag.Bool("v", false, "log requests, files served and failures")
	key     = seal.New("directory")
)

func main() { cli.Main("peer [flags] [NAME...]", run) }

func run(ctx context.Context) error {
	once := 0
	for _, set := range []bool{*view, *find != "", *get != ""} {
		if set {
			once++
		}
	}
	if once > 1 || once == 1 && flag.NArg() > 0 || (*out != "" || *sum != "") && *get == "" {
		return cli.Usagef("want one of -view, -find and -get, without NAMEs; -o and -sha256 go with -get")
	}
	digest, err := hex.DecodeString(*sum)
	if err != nil || len(digest) != 0 && len(digest) != 32 {
		return cli.Usagef("-sha256 %s: want 64 hexadecimal digits", *sum)
	}
	to, err := cli.Resolve([]string{*at}, directory.DefaultPort)
	if err != nil {
		return err
	}
	if *overlay == "central" && (*join != "" || *overlayListen != "") {
		return cli.Usagef("-join and -overlay-listen go with -overlay chord or gnutella")
	}
	if on, err := key.On(); err != nil {
		return err
	} else if on && !*view && *find == "" {
		fmt.Fprintln(os.Stderr, "only UDP is sealed: files travel over HTTP in the clear")
	}
	if once == 1 {
		return askOnce(ctx, to[0])
	}
	return servePeer(ctx, to[0])
}

// askOnce does what one flag says.
func askOnce(ctx context.Context, to netip.AddrPort) error {
	n, err := openGuest(to)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	n.start(running)
	defer func() {
		stop()
		n.close()
	}()
	switch {
	case *view:
		return n.view(ctx, cli.Stdout)
	case *find != "":
		found, err := n.lookup(ctx, *find)
		for _, a := range found {
			fmt.Fprintln(cli.Stdout, a.Addr(), a.Port())
		}
		return err
	}
	return getFile(ctx, n)
}

// openGuest opens the network for one question.
func openGuest(to netip.AddrPort) (*network, error) {
	if *overlay != "central" {
		return openOverlay(true)
	}
	conn, err := key.ListenPacket("udp", ":0")
	if err != nil {
		return nil, err
	}
	n := central(&directory.Client{Conn: conn, Directory: to, Trace: logged()})
	n.closers = append(n.closers, conn)
	return n, nil
}

// getFile is -get.
func getFile(ctx context.Context, n *network) error {
	where, as := *dir, *get
	if *out != "" {
		where, as = filepath.Split(filepath.Clean(*out))
	}
	root, err := os.OpenRoot(filepath.Join(where, "."))
	if err != nil {
		return err
	}
	defer root.Close()
	report, err := download(ctx, root, *get, as, n, n.transport)
	if err != nil {
		return err
	}
	fmt.Fprintf(cli.Stdout, "%s: %d bytes from %d peers in %v, %s\n", as, report.Size, delivered(report), report.Elapsed, verified(report))
	return nil
}

func delivered(r fetch.Report) (peers int) {
	for _, s := range r.Sources {
		if s.Bytes > 0 {
			peers++
		}
	}
	return peers
}

// verified says how much a file's digest is worth.
func verified(r fetch.Report) string {
	switch {
	case !r.Verified:
		return "not verified: no peer announced a digest"
	case *sum != "":
		return "verified"
	}
	return fmt.Sprintf("verified: sha256 as announced by %d of %d hosts", r.Announced, r.Hosts)
}

// download gets a file, with a progress bar on a terminal.
func download(ctx context.Context, root *os.Root, name, as string, l fetch.Locator, t http.RoundTripper) (fetch.Report, error) {
	bar := fetchbar.New(os.Stderr)
	f := fetch.Fetcher{MaxSize: *maxSize, Transport: t, Trace: bar.Trace()}
	if digest, _ := hex.DecodeString(*sum); len(digest) == 32 {
		f.SHA256 = (*[32]byte)(digest)
	}
	if *verbose {
		f.Trace = fetch.LogTrace(logger())
	}
	report, err := f.Fetch(ctx, root, name, as, l)
	bar.Wait()
	return report, err
}

// servePeer serves files, and shows the menu, until the user or an interrupt ends it.
func servePeer(ctx context.Context, to netip.AddrPort) error {
	fmt.Println("http server is starting...")
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer l.Close()
	addr, n, err := openNetwork(l, to)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(*dir)
	if err != nil {
		return err
	}
	defer root.Close()
	p := &directory.Peer{Root: root, Publisher: n, Addr: addr, Trace: told(), DigestCache: digestCache()}
	if p.DigestCache != nil {
		defer p.DigestCache.Close()
	}
	if n.node != nil {
		n.node.Handler = gnutella.Requests(p)
	}
	names := flag.Args()
	if *all {
		if names, err = allFiles(root.FS()); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := p.Share(name); err != nil {
			return err
		}
	}
	serving, stop := context.WithCancel(ctx)
	networking, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	n.start(networking) // it ends after the peer, which takes leave of it
	defer func() {
		disconnect()
		n.close()
	}()
	served := make(chan error, 1)
	go func() { served <- p.Serve(serving, l) }()
	fmt.Println("http server is running...")

	m := menu{peer: p, network: n, root: root, addr: addr, lines: lines(os.Stdin), out: cli.Stdout}
	err = m.run(ctx, served)
	stop()
	if e := <-served; err == nil && !errors.Is(e, context.Canceled) {
		err = e
	}
	return err
}

// digestCache opens the directory where digests are kept, nil if there is none.
func digestCache() *os.Root {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	dir = filepath.Join(dir, "ferry", "digests")
	if os.MkdirAll(dir, 0o700) != nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	return root
}

// openNetwork returns the address that others reach l at, and the network that they are told by.
func openNetwork(l net.Listener, to netip.AddrPort) (netip.AddrPort, *network, error) {
	own := addrOf(l.Addr())
	if *overlay != "central" {
		n, err := openOverlay(false)
		if err == nil && own.Addr().IsUnspecified() {
			own = netip.AddrPortFrom(n.addr.Addr(), own.Port())
		}
		return own, n, err
	}
	ip := own.Addr()
	if ip.IsUnspecified() {
		var err error
		if ip, err = ownAddr([]netip.AddrPort{to}); err != nil {
			return own, nil, err
		}
	}
	// From the same address: the directory takes no other host's word for it.
	conn, err := key.ListenPacket("udp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return own, nil, err
	}
	n := central(&directory.Client{Conn: conn, Directory: to, Trace: logged()})
	n.closers = append(n.closers, conn)
	return netip.AddrPortFrom(ip.WithZone(""), own.Port()), n, nil
}

// allFiles lists the files of a tree, without those whose names begin with a dot.
func allFiles(fsys fs.FS) (names []string, err error) {
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// lines sends the lines of r, and closes the channel at the end.
func lines(r io.Reader) <-chan string {
	c := make(chan string)
	go func() { // ends with the program: nothing interrupts a read of the terminal
		defer close(c)
		for s := bufio.NewScanner(r); s.Scan(); {
			c <- s.Text()
		}
	}()
	return c
}

// logged observes requests to the directory. It says if the directory does not answer.
func logged() *directory.Trace {
	if *verbose {
		return directory.LogTrace(logger())
	}
	return &directory.Trace{Waiting: func(e directory.Event) {
		fmt.Fprintln(os.Stderr, "waiting for the directory at", e.Addr)
	}}
}

func logger() *slog.Logger {
	return printable.Logger(os.Stderr, slog.LevelDebug)
}

// told says when the directory stops answering, and when it is back.
func told() *directory.Trace {
	t := logged()
	lost := false
	t.Announced = func(e directory.Event) {
		switch err := e.Err; {
		case errors.Is(err, context.Canceled):
		case err != nil && !lost:
			fmt.Fprintf(os.Stderr, "the directory does not know of this peer (%s); files are served all the same\n", printable.Error(err))
			lost = true
		case err == nil && lost:
			fmt.Fprintln(os.Stderr, "the directory knows of this peer again")
			lost = false
		}
	}
	return t
}
