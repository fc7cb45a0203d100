package examples

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A dialogue is a program with a prompt, at which the test sits.
type dialogue struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs bytes.Buffer
}

func talk(t *testing.T, name string, args ...string) *dialogue {
	t.Helper()
	d := &dialogue{t: t, cmd: command(t, name, args...)}
	in, err := d.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.in, d.out, d.cmd.Stderr = in, bufio.NewReader(out), &d.errs
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return d
}

// until returns what the program prints up to and with mark.
func (d *dialogue) until(mark string) string {
	d.t.Helper()
	var got []byte
	for !bytes.HasSuffix(got, []byte(mark)) {
		c, err := d.out.ReadByte()
		if err != nil {
			d.t.Fatalf("%q, and then %v; want %q", got, err, mark)
		}
		got = append(got, c)
	}
	return string(got)
}

// say types lines, and returns what the program prints to each, up to the next prompt.
func (d *dialogue) say(mark string, lines ...string) string {
	d.t.Helper()
	var got strings.Builder
	for _, line := range lines {
		io.WriteString(d.in, line+"\n")
		got.WriteString(d.until(mark))
	}
	return got.String()
}

const (
	prompt = "Enter Choice: "
	menu   = "Menu\n1.Receive a file\n2.Add sharing file\n3.Delete sharing file\n4.List all files being shared\n5.Exit\n6.View Directory\n" + prompt
)

// A demonstration is the one of CEN 502 project 2, part II, 3: a directory and three
// peers, each on its own host. Here hosts are addresses of the loopback network.
type demonstration struct {
	t     *testing.T
	at    string       // of the directory
	peers [5]*dialogue // 2, 3 and 4, as in the document
	dirs  [5]string
	ports [5]string
}

func demonstrate(t *testing.T) *demonstration {
	d := &demonstration{t: t}
	server := command(t, "directoryd", "-v", "-listen", "127.0.1.1:0")
	errs, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Skip("no addresses 127.0.1.1 and on: ", err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "Waiting For Peers.... :)\n" {
		rest, _ := io.ReadAll(errs)
		t.Skipf("no address 127.0.1.1: %q, %v, %s", line, err, rest)
	}
	log := bufio.NewReader(errs)
	line, _ := log.ReadString('\n')
	go io.Copy(io.Discard, log)
	d.at = strings.TrimSpace(strings.TrimPrefix(line, "serving at "))
	for i := 2; i <= 4; i++ {
		d.start(i)
	}
	return d
}

// start starts a peer.
func (d *demonstration) start(i int) {
	d.t.Helper()
	host := "127.0.1." + string(rune('0'+i))
	d.dirs[i] = d.t.TempDir()
	d.peers[i] = talk(d.t, "peer", "-directory", d.at, "-listen", host+":0", "-dir", d.dirs[i])
	if got, want := d.peers[i].until(prompt), "http server is starting...\nhttp server is running...\n"+menu; got != want {
		d.t.Fatalf("peer %d began with %q, want %q", i, got, want)
	}
	list := d.peers[i].say(prompt, "4")
	found := regexp.MustCompile(`^Getting the list of files...\n1 (\S+) (\d+)\n`).FindStringSubmatch(list)
	if found == nil || found[1] != host {
		d.t.Fatalf("peer %d lists %q", i, list)
	}
	d.ports[i] = found[2]
}

// file gives a peer a file.
func (d *demonstration) file(i int, name, content string) {
	if err := os.WriteFile(filepath.Join(d.dirs[i], name), []byte(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// share types the dialogue that shares a file.
func (d *demonstration) share(i int, name string) {
	d.t.Helper()
	d.peers[i].say("share:", "2")
	if got := d.peers[i].say(prompt, name); got != menu {
		d.t.Errorf("sharing %s: %q", name, got)
	}
}

// asInDocument replaces in what a program printed the ports by 80, the loopback addresses by the
// document's, and the time stamps by T.
func (d *demonstration) asInDocument(s string) string {
	for i := 2; i <= 4; i++ {
		s = strings.NewReplacer("'127.0.1."+string(rune('0'+i))+"', '"+d.ports[i]+"'", "'10.0.0."+string(rune('0'+i))+"', '80'",
			"127.0.1."+string(rune('0'+i))+" "+d.ports[i], "10.0.0."+string(rune('0'+i))+" 80").Replace(s)
	}
	_, port, _ := strings.Cut(d.at, ":")
	s = strings.ReplaceAll(s, "('127.0.1.1', "+port+")", "('10.0.0.1', 7777)")
	return regexp.MustCompile(`\b\d{10}\.\d{1,6}\b`).ReplaceAllString(s, "T")
}

// expect compares what a peer printed with the document.
func (d *demonstration) expect(what, got, want string) {
	d.t.Helper()
	if got = d.asInDocument(got); got != want {
		d.t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// views compares the view at a peer, whatever the order of the peers in it.
func (d *demonstration) views(i int, want ...string) {
	d.t.Helper()
	got := d.asInDocument(d.peers[i].say(prompt, "6"))
	rest := got
	for _, w := range want {
		if !strings.Contains(got, w) {
			d.t.Errorf("the view at %d lacks %s:\n%s", i, w, got)
		}
		rest = strings.Replace(rest, w, "P", 1)
	}
	if end := "[" + strings.Join(strings.Split(strings.Repeat("P", len(want)), ""), ", ") + "]\n('10.0.0.1', 7777)\n" + menu; rest != end {
		d.t.Errorf("the view at %d is\n%s", i, got)
	}
}

// TestDocumentTest1: "Adding of a file to Directory".
func TestDocumentTest1(t *testing.T) {
	d := demonstrate(t)
	d.file(3, "new.txt", "new")
	d.share(3, "new.txt")
	d.expect("the list", d.peers[3].say(prompt, "4"), "Getting the list of files...\n1 10.0.0.3 80 new.txt\n"+menu)
	d.views(2, "['10.0.0.4', '80', T]", "['10.0.0.2', '80', T]", "['10.0.0.3', '80', 'new.txt', T]")
}

// TestDocumentTest2: "Delete a file entry from the Central Directory".
func TestDocumentTest2(t *testing.T) {
	d := demonstrate(t)
	for _, name := range []string{"new.txt", "recv.txt", "file1.txt"} {
		d.file(2, name, name)
		d.share(2, name)
	}
	d.file(3, "f1.txt", "f1")
	d.share(3, "f1.txt")
	d.views(2, "['10.0.0.4', '80', T]", "['10.0.0.2', '80', 'new.txt', 'recv.txt', 'file1.txt', T]", "['10.0.0.3', '80', 'f1.txt', T]")
	d.peers[2].say("Enter the file you want to Delete:", "3")
	d.expect("deleting", d.peers[2].say(prompt, "recv.txt"), "DELETE COMPLETE!!!\n"+menu)
	for _, at := range []int{3, 2} {
		d.views(at, "['10.0.0.4', '80', T]", "['10.0.0.2', '80', 'new.txt', 'file1.txt', T]", "['10.0.0.3', '80', 'f1.txt', T]")
	}
}

// TestDocumentTest3: "Request for file".
func TestDocumentTest3(t *testing.T) {
	d := demonstrate(t)
	content := strings.Repeat("mnjfkewl;d.fv mfdkw;l.f,vfkd.f,gvked.fv\r\n", 1432) // 58710 bytes, near enough
	for _, i := range []int{2, 3} {
		d.file(i, "new.txt", content)
		d.share(i, "new.txt")
	}
	d.peers[4].say("Enter the file you require:", "1")
	d.expect("the sources", d.peers[4].say(prompt, "new.txt"), `Processing the Request
2 new.txt
Retrieved sources of files
Choose a peer from the list to download new.txt
Choice 0
10.0.0.2 80
Choice 1
10.0.0.3 80
Enter Choice: `)
	d.expect("the download", d.peers[4].say(prompt, "127.0.1.2 "+d.ports[2]), `Request File from peer: ['10.0.0.2', '80'] ('10.0.0.1', 7777)
MESSAGE 2 new.txt
GET
new.txt
(200, 'OK')
FILE DOWNLOAD COMPLETE!!!
`+menu)
	if got, err := os.ReadFile(filepath.Join(d.dirs[4], "new.txt")); string(got) != content {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	// From all of them at once, and with a number.
	for _, answer := range []string{"", "1"} {
		d.peers[4].say("Enter the file you require:", "1")
		d.peers[4].say(prompt, "new.txt")
		if got := d.peers[4].say(prompt, answer); !strings.Contains(got, "FILE DOWNLOAD COMPLETE!!!\n") {
			t.Errorf("choice %q: %q", answer, got)
		}
	}
}

// TestDocumentTest4: "Error codes". A peer that is not in the list is asked all the same.
func TestDocumentTest4(t *testing.T) {
	d := demonstrate(t)
	d.file(2, "new.txt", "new")
	d.share(2, "new.txt")
	d.file(3, "new.txt", "there, and not shared")
	d.file(3, "f1.txt", "f1")
	d.share(3, "f1.txt")
	d.peers[4].say("Enter the file you require:", "1")
	if got := d.peers[4].say(prompt, "new.txt"); strings.Contains(got, "Choice 1") {
		t.Errorf("more sources than one: %q", got)
	}
	d.expect("the download", d.peers[4].say(prompt, "127.0.1.3 "+d.ports[3]), `Request File from peer: ['10.0.0.3', '80'] ('10.0.0.1', 7777)
MESSAGE 2 new.txt
GET
new.txt
(404, 'file not found')
`+menu)
	if _, err := os.Stat(filepath.Join(d.dirs[4], "new.txt")); err == nil {
		t.Error("something arrived")
	}
	// A file that no peer has.
	d.peers[4].say("Enter the file you require:", "1")
	if got, want := d.peers[4].say(prompt, "nonsuch"), "Processing the Request\n2 nonsuch\n(404, 'file not found')\n"+menu; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPeerOnce: -view, -find and -get, a plain HTTP client, Exit, and an interrupt.
func TestPeerOnce(t *testing.T) {
	d := demonstrate(t)
	content := strings.Repeat("0123456789", 300_000)
	for _, i := range []int{2, 3} {
		d.file(i, "a b.bin", content)
		d.share(i, "a b.bin")
	}
	ask := func(args ...string) (string, string, int) {
		return run(t, "peer", append([]string{"-directory", d.at}, args...)...)
	}
	if stdout, stderr, status := ask("-find", "a b.bin"); status != 0 || d.asInDocument(stdout) != "10.0.0.2 80\n10.0.0.3 80\n" {
		t.Errorf("-find: %q, %q, %d", stdout, stderr, status)
	}
	if stdout, stderr, status := ask("-find", "nonsuch"); status != 1 || stdout != "" || !strings.Contains(stderr, "nobody has the file") {
		t.Errorf("-find: %q, %q, %d", stdout, stderr, status)
	}
	if stdout, stderr, status := ask("-view"); status != 0 || strings.Count(stdout, "'a b.bin'") != 2 {
		t.Errorf("-view: %q, %q, %d", stdout, stderr, status)
	}
	file := filepath.Join(t.TempDir(), "copy")
	if stdout, stderr, status := ask("-get", "a b.bin", "-o", file); status != 0 || !strings.Contains(stdout, "copy: 3000000 bytes") || !strings.Contains(stdout, ", verified") {
		t.Errorf("-get: %q, %q, %d", stdout, stderr, status)
	}
	if got, err := os.ReadFile(file); string(got) != content {
		t.Errorf("-get: %d bytes, %v", len(got), err)
	}
	resp, err := http.Get("http://127.0.1.2:" + d.ports[2] + "/a%20b.bin")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(got) != content {
		t.Errorf("over plain HTTP: %d bytes", len(got))
	}

	io.WriteString(d.peers[2].in, "5\n")
	if err := d.peers[2].cmd.Wait(); err != nil {
		t.Errorf("Exit: %v, %s", err, &d.peers[2].errs)
	}
	d.peers[3].cmd.Process.Signal(os.Interrupt)
	if err := d.peers[3].cmd.Wait(); err != nil {
		t.Errorf("an interrupt: %v, %s", err, &d.peers[3].errs)
	}
	if stdout, _, status := ask("-view"); status != 0 || strings.Contains(stdout, "a b.bin") || !strings.Contains(stdout, "127.0.1.4") {
		t.Errorf("after two have left: %q, %d", stdout, status)
	}
}

// TestDirectoryMistakes: a clear line, and the right status.
func TestDirectoryMistakes(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"directoryd", "x"}, 2, "no arguments"},
		{[]string{"directoryd", "-expiry", "-1s"}, 2, "positive -expiry"},
		{[]string{"directoryd", "-listen", "nonsuch"}, 1, "missing port"},
		{[]string{"peer", "-view", "-find", "x"}, 2, "want one of"},
		{[]string{"peer", "-view", "x"}, 2, "want one of"},
		{[]string{"peer", "-o", "x"}, 2, "want one of"},
		{[]string{"peer", "-directory", "127.0.0.1:"}, 2, "want HOST:PORT"},
		{[]string{"peer", "-listen", "127.0.0.1:0", "-dir", "/nonsuch"}, 1, "no such file"},
		{[]string{"peer", "-listen", "127.0.0.1:0", "nonsuch"}, 1, "no such file"},
		{[]string{"peer", "-get", "../x"}, 1, "path, not a file's name"},
	} {
		_, stderr, status := run(t, tt.args[0], tt.args[1:]...)
		first, _, _ := strings.Cut(stderr, "\n")
		if status != tt.status || !strings.Contains(first, tt.want) {
			t.Errorf("%q: status %d, %q; want %d, %q", tt.args, status, stderr, tt.status, tt.want)
		}
	}
	for _, name := range []string{"directoryd", "peer"} {
		_, stderr, status := run(t, name, "-h")
		if status != 0 || !strings.HasPrefix(stderr, "usage: "+name) || !strings.Contains(stderr, "-v") {
			t.Errorf("%s -h: status %d, %q", name, status, stderr)
		}
	}
}
