package p2mp

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		p.serve(Receiver{}, Dir(root))
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

func TestClassicName(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 4, 5, 678900, time.UTC)
	for addr, want := range map[string]string{
		"10.0.0.2:50123":      "20260314T150405.000678_10.0.0.2_50123",
		"[2001:db8::1]:7":     "20260314T150405.000678_2001-db8--1_7",
		"[fe80::1%eth0]:7735": "20260314T150405.000678_fe80--1-eth0_7735",
	} {
		if got := classicName(Offer{From: netip.MustParseAddrPort(addr)}, at); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
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
		p.serve(Receiver{}, SaveAs(root, "f"))
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

// DirHandler: unknown size is cut off at MaxSize.
func TestMaxSizeUnknown(t *testing.T) {
	root, dir := openRoot(t)
	d := DirHandler{Root: root, MaxSize: 10}
	s, err := d.Accept(Offer{Extended: true, Name: "f", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if _, err := s.Write(make([]byte, 1)); !errors.Is(err, ErrTooLarge) || refusal(err) != ReasonTooLarge {
		t.Error(err)
	}
	s.Abort(errBroken)
	if len(names(t, dir)) != 0 {
		t.Error("left")
	}
}

// TestDirExtended: name, mode and contents arrive; a second file of that name is
// refused unless it may replace the first.
func TestDirExtended(t *testing.T) {
	root, dir := openRoot(t)
	for i, overwrite := range []bool{false, false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newParty(t, 1, lossy.Delay(time.Millisecond), lossy.Loss(0.2))
			p.serve(Receiver{}, &DirHandler{Root: root, Overwrite: overwrite})
			data := noise(uint64(i), 5000)
			_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, Source{R: bytes.NewReader(data), Size: 5000, Name: "f", Mode: 0o640})
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
		p.serve(Receiver{}, Dir(root))
		other := p.listen()
		defer other.Close()
		errs := make(chan error)
		files := [][]byte{noise(1, 10000), noise(2, 10000)}
		for i, conn := range []*lossy.Conn{p.sender, other} {
			go func() {
				_, err := (&Sender{MSS: 100}).Send(t.Context(), conn, p.to, Source{R: bytes.NewReader(files[i]), Size: 10000, Name: "f"})
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

// A sender that is killed and started again offers a name that still arrives: it is told
// so, and when the receiver has given the first one up, its file is taken.
func TestNameOfAKilledSender(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		h := &DirHandler{Root: root}
		p.serve(Receiver{GiveUp: 20 * time.Second}, h)
		data := noise(1, 10000)
		send := func() error {
			conn := p.listen()
			defer conn.Close()
			_, err := (&Sender{MSS: 100}).Send(t.Context(), conn, p.to, Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f"})
			return err
		}
		offer := offerOf("f", int64(len(data)))
		p.postTo(CategoryHello, &offer) // and dies
		if got := p.answer(); got != "REPORT 0: 0 held, gathering" {
			t.Fatal(got)
		}
		pause(19 * time.Second)
		if err := send(); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "has, or is receiving, a file of that name") {
			t.Errorf("before it is given up: %v", err)
		}
		pause(time.Second)
		if err := send(); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if err := send(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("once more: %v", err)
		}
		p.stop()
		if got := names(t, dir); fmt.Sprint(got) != "[f]" || len(h.names) != 0 {
			t.Errorf("files %q, names %v are taken", got, h.names)
		}
	})
}

// Two programs that resume in one directory do not write to the same partial file.
func TestResumedElsewhere(t *testing.T) {
	root, _ := openRoot(t)
	o := Offer{Extended: true, Name: "f", Size: 10, SHA256: new([32]byte)}
	first, err := (&DirHandler{Root: root, Resume: true}).Accept(o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Abort(nil)
	other := &DirHandler{Root: root, Resume: true}
	if _, err := other.Accept(o); !errors.Is(err, fs.ErrExist) || refusal(err) != ReasonExists || len(other.names) != 0 {
		t.Errorf("%v, names %v are taken", err, other.names)
	}
}
