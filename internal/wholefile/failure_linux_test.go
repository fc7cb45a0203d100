package wholefile

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// limitVar tells the test's own binary to run limitedMain.
const limitVar = "WHOLEFILE_TEST_LIMITED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(limitVar); dir != "" {
		os.Exit(limitedMain(dir))
	}
	if dir := os.Getenv(writeVar); dir != "" {
		writeMain(dir)
	}
	os.Exit(m.Run())
}

// The disk is full, or the process may write no more: the error comes up, and nothing
// is left.
func TestFileSizeLimit(t *testing.T) {
	root := openRoot(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), limitVar+"="+root.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantContents(t, root, map[string]string{})
}

// limitedMain writes more than this process may, and returns its exit status.
func limitedMain(dir string) int {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100 << 10, Max: 100 << 10}); err != nil {
		println(err.Error())
		return 1
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		println(err.Error())
		return 1
	}
	defer root.Close()
	f, err := Create(root, "name", 0)
	if err != nil {
		println(err.Error())
		return 1
	}
	written := 0
	for range 10 {
		if err != nil {
			break
		}
		var n int
		n, err = f.Write(make([]byte, 64<<10))
		written += n
	}
	if written != 100<<10 || !errors.Is(err, syscall.EFBIG) {
		println("written", written)
		return 1
	}
	if err := f.Commit(true); !errors.Is(err, syscall.EFBIG) {
		println("committed")
		return 1
	}
	return 0
}

// The same on a file system that is really full, where one can be mounted.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("no tmpfs:", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f := mustCreate(t, root, "name", "text")
	if _, err := f.Write(make([]byte, 1<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write: %v", err)
	}
	if err := f.Commit(true); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Commit: %v", err)
	}
	wantContents(t, root, map[string]string{})
}

// No way to end leaves a descriptor open.
func TestNoDescriptorLeft(t *testing.T) {
	root := openRoot(t)
	before := descriptors(t)
	for range 20 {
		for _, end := range []func(*File) error{
			func(f *File) error { return f.Commit(true) },
			func(f *File) error { return f.Commit(false) },
			func(f *File) error { return f.Abort() },
			func(f *File) error { _ = f.Truncate(-1); return f.Commit(true) },
		} {
			f, err := Create(root, "name", 0)
			if err != nil {
				t.Fatal(err)
			}
			_ = end(f)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// writeVar tells the test's own binary to run writeMain.
const writeVar = "WHOLEFILE_TEST_WRITE_DIR"

// writeMain begins a file and waits to be killed.
func writeMain(dir string) {
	root, err := os.OpenRoot(dir)
	if err == nil {
		_, err = Create(root, "name", 0)
	}
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(".")
	select {}
}

// TestCollectAfterKill: a process that is killed while it writes a file.
func TestCollectAfterKill(t *testing.T) {
	root := openRoot(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writeVar+"="+root.Name())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	Collect(root, "")
	if got := contents(t, root); len(got) != 1 {
		t.Errorf("while it lives: %q", got)
	}
	cmd.Process.Kill()
	cmd.Wait()
	Collect(root, "")
	wantContents(t, root, map[string]string{})
}
