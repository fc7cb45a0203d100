package p2mp

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

func openRoot(t *testing.T) (*os.Root, string) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// names lists a directory, hidden files included.
func names(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDir(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &ferry.Dir{Root: root})
		files := [][]byte{noise(1, 1000), nil, noise(2, 3)}
		for _, data := range files {
			p.mustSend(data)
		}
		p.stop()
		got := names(t, dir)
		if len(got) != len(files) {
			t.Fatalf("files %q, want %d", got, len(files))
		}
		for i, name := range got { // in the order of time
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.Equal(b, files[i]) {
				t.Errorf("%s: %d bytes, %v; want %d", name, len(b), err, len(files[i]))
			}
		}
		if !strings.HasPrefix(got[0], "20000101T000000.001") || !strings.HasSuffix(got[0], "_10.0.0.1_7735") {
			t.Errorf("the first file is %s, want the time and the sender's address", got[0])
		}
	})
}

// A file is there only when it is whole, and an unfinished one leaves nothing.
func TestSaveAs(t *testing.T) {
	root, dir := openRoot(t)
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	contents := func() string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1)
		p.serve(Receiver{}, ferry.SaveAs(root, "f"))
		p.write(chunk(1, "ab"))
		p.read()
		if got := contents(); got != "old" {
			t.Errorf("in mid-file it holds %q, want the old contents", got)
		}
		p.write(chunk(2, "c"))
		p.read()
		if got := contents(); got != "abc" {
			t.Errorf("afterwards it holds %q", got)
		}
		p.write(chunk(1, "xy"))
		p.read()
		p.stop() // in mid-file
		if got := contents(); got != "abc" {
			t.Errorf("after an unfinished transfer it holds %q", got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("files %q are left, want f alone", got)
		}
	})
}

// TestDirExtended: name, mode and contents arrive; a second file of that name is
// refused unless it may replace the first.
func TestDirExtended(t *testing.T) {
	root, dir := openRoot(t)
	for i, overwrite := range []bool{false, false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Loss(0.2))
			p.serve(Receiver{}, &ferry.Dir{Root: root, Overwrite: overwrite})
			data := noise(uint64(i), 5000)
			_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewReader(data), Size: 5000, Name: "f", Mode: 0o640})
			p.stop()
			if refused := errors.Is(err, fs.ErrExist); refused != (i == 1) || err != nil && !refused {
				t.Errorf("file %d: %v", i, err)
			}
			b, _ := os.ReadFile(filepath.Join(dir, "f"))
			info, err := os.Stat(filepath.Join(dir, "f"))
			if i != 1 && (!bytes.Equal(b, data) || err != nil || info.Mode() != 0o640) {
				t.Errorf("file %d: %d bytes, mode %v", i, len(b), info.Mode())
			}
			if got := names(t, dir); len(got) != 1 {
				t.Errorf("files %q", got)
			}
		})
	}
}

// Two senders that offer the same name at once: one file is kept, whole, and one sender
// hears why not.
func TestSameNameAtOnce(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Loss(0.1))
		p.serve(Receiver{}, &ferry.Dir{Root: root})
		other := p.listen()
		defer other.Close()
		errs := make(chan error)
		files := [][]byte{noise(1, 10000), noise(2, 10000)}
		for i, conn := range []*lossy.Conn{p.sender, other} {
			go func() {
				_, err := (&Sender{MSS: 100}).Send(t.Context(), conn, p.to, ferry.Source{R: bytes.NewReader(files[i]), Size: 10000, Name: "f"})
				errs <- err
			}()
		}
		a, b := <-errs, <-errs
		p.stop()
		if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), fs.ErrExist) {
			t.Errorf("one should have been refused: %v; %v", a, b)
		}
		got, _ := os.ReadFile(filepath.Join(dir, "f"))
		if !bytes.Equal(got, files[0]) && !bytes.Equal(got, files[1]) {
			t.Errorf("f is neither file: %d bytes", len(got))
		}
	})
}

// A sender that is killed and started again offers a name that still arrives. Its file is
// taken: the first to finish has the name.
func TestNameOfAKilledSender(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		h := &ferry.Dir{Root: root}
		p.serve(Receiver{GiveUp: 20 * time.Second}, h)
		data := noise(1, 10000)
		send := func() error {
			conn := p.listen()
			defer conn.Close()
			_, err := (&Sender{MSS: 100}).Send(t.Context(), conn, p.to, ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f"})
			return err
		}
		offer := offerOf("f", int64(len(data)))
		p.postTo(CategoryHello, &offer) // and dies
		if got := p.answer(); got != "REPORT 0: 0 held, gathering" {
			t.Fatal(got)
		}
		if err := send(); err != nil {
			t.Errorf("before the first is given up: %v", err)
		}
		if err := send(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("once more: %v", err)
		}
		pause(20 * time.Second)
		p.stop()
		if got := names(t, dir); fmt.Sprint(got) != "[f]" {
			t.Errorf("files %q", got)
		}
	})
}
