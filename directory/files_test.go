package directory

import (
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
)

// noise returns bytes that repeat for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// openDir opens a new directory with files in it, by name and content.
func openDir(t testing.TB, files map[string][]byte) *os.Root {
	t.Helper()
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour) // so that the digests are kept
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// serve runs an HTTP server on loopback for the length of the test.
func serve(t testing.TB, h http.Handler) fetch.Source {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return fetch.Source{Addr: l.Addr().(*net.TCPAddr).AddrPort()}
}

// sharing returns a Peer that shares files by name and content.
func sharing(t testing.TB, files map[string][]byte) *Peer {
	t.Helper()
	p := &Peer{Root: openDir(t, files)}
	for name := range files {
		if err := p.Share(name); err != nil {
			t.Fatal(err)
		}
		settle(t, filepath.Join(p.Root.Name(), name))
	}
	return p
}

// settle waits until the digests of a file are kept: a few ticks of the file system's
// clock.
func settle(t testing.TB, path string) {
	t.Helper()
	for {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if versionOf(info).settled(time.Now()) {
			return
		}
		runtime.Gosched()
	}
}

// A pipeListener is a listener in memory.
type pipeListener struct {
	quietListener
	conns chan net.Conn
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
