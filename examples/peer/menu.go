package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ferrygo/ferry/directory"
	"github.com/ferrygo/ferry/directory/fetch"
	"github.com/ferrygo/ferry/examples/internal/printable"
)

// A menu is the dialogue of CEN 502 project 2 (part II, 3), word for word.
type menu struct {
	peer    *directory.Peer
	network *network
	root    *os.Root
	addr    netip.AddrPort
	lines   <-chan string
	out     io.Writer
}

const entries = `Menu
1.Receive a file
2.Add sharing file
3.Delete sharing file
4.List all files being shared
5.Exit
6.View Directory
`

// run takes choices until Exit, an interrupt, or the end of the server.
func (m *menu) run(ctx context.Context, served chan error) error {
	for {
		fmt.Fprint(m.out, entries)
		choice, ok := m.ask(ctx, "Enter Choice: ")
		if !ok {
			break
		}
		if choice == "5" {
			return nil
		}
		if err := m.do(ctx, choice); err != nil && ctx.Err() == nil {
			fmt.Fprintln(m.out, printable.Error(err))
		}
	}
	// The input has ended: no choice will come, and the files are still served.
	fmt.Fprintln(m.out)
	select {
	case <-ctx.Done():
	case err := <-served:
		served <- err
	}
	return nil
}

// ask prompts for a line.
func (m *menu) ask(ctx context.Context, prompt string) (line string, ok bool) {
	fmt.Fprint(m.out, prompt)
	select {
	case line, ok = <-m.lines:
		return strings.TrimSpace(line), ok
	case <-ctx.Done():
		return "", false
	}
}

func (m *menu) do(ctx context.Context, choice string) error {
	switch choice {
	case "1":
		return m.receive(ctx)
	case "2":
		name, ok := m.ask(ctx, "Enter the file you want to share:")
		if !ok {
			return nil
		}
		if err := m.peer.Share(name); err != nil {
			return err
		}
		return m.announce(ctx)
	case "3":
		name, ok := m.ask(ctx, "Enter the file you want to Delete:")
		if !ok {
			return nil
		}
		if !m.peer.Unshare(name) {
			return errors.New("(404, 'file not found')")
		}
		fmt.Fprintln(m.out, "DELETE COMPLETE!!!")
		return m.announce(ctx)
	case "4":
		fmt.Fprintln(m.out, "Getting the list of files...")
		update := []string{"1", m.addr.Addr().String(), strconv.Itoa(int(m.addr.Port()))}
		fmt.Fprintln(m.out, strings.Join(append(update, m.peer.Files()...), " "))
	case "6":
		return m.network.view(ctx, m.out)
	}
	return nil
}

// patience is how long the user waits for the directory.
const patience = 5 * time.Second

// announce tells the directory at once, so that the others see it at once. If that
// fails it is told later; the Trace says so.
func (m *menu) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = m.peer.Announce(ctx)
	return nil
}

// receive is the first entry.
func (m *menu) receive(ctx context.Context) error {
	name, ok := m.ask(ctx, "Enter the file you require:")
	if !ok {
		return nil
	}
	fmt.Fprintln(m.out, "Processing the Request")
	fmt.Fprintln(m.out, "2", name)
	asking, cancel := context.WithTimeout(ctx, patience)
	found, err := m.network.lookup(asking, name)
	cancel()
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("(404, 'file not found')")
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(m.out, "Retrieved sources of files")
	fmt.Fprintln(m.out, "Choose a peer from the list to download", name)
	for i, a := range found {
		fmt.Fprintf(m.out, "Choice %d\n%v %d\n", i, a.Addr(), a.Port())
	}
	answer, ok := m.ask(ctx, "Enter Choice: ")
	if !ok {
		return nil
	}
	sources, err := pick(answer, found)
	if err != nil {
		return err
	}
	return m.fetchFrom(ctx, name, sources)
}

// pick takes a peer as the document does, by address and port, whether it is in the
// list or not; by its number; or, for an empty line, all.
func pick(answer string, found []netip.AddrPort) (fetch.Sources, error) {
	var sources fetch.Sources
	if answer == "" {
		for _, a := range found {
			sources = append(sources, fetch.Source{Addr: a})
		}
		return sources, nil
	}
	if i, err := strconv.Atoi(answer); err == nil && i >= 0 && i < len(found) {
		return fetch.Sources{{Addr: found[i]}}, nil
	}
	host, port, _ := strings.Cut(answer, " ")
	ip, err1 := netip.ParseAddr(host)
	n, err2 := strconv.ParseUint(strings.TrimSpace(port), 10, 16)
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%q is neither ADDRESS PORT nor the number of a choice", answer)
	}
	return fetch.Sources{{Addr: netip.AddrPortFrom(ip, uint16(n))}}, nil
}

// fetchFrom fetches from the peers that were chosen.
func (m *menu) fetchFrom(ctx context.Context, name string, sources fetch.Sources) error {
	for _, s := range sources {
		fmt.Fprintf(m.out, "Request File from peer: ['%v', '%d'] %s\n", s.Addr.Addr(), s.Addr.Port(), tuple(m.network.addr))
	}
	fmt.Fprintf(m.out, "MESSAGE 2 %s\nGET\n%s\n", name, name)
	report, err := download(ctx, m.root, name, name, sources, m.network.transport)
	if status, ok := errors.AsType[fetch.StatusError](err); ok {
		text := http.StatusText(int(status))
		if status == http.StatusNotFound {
			text = "file not found"
		}
		return fmt.Errorf("(%d, '%s')", int(status), text)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(m.out, "(200, 'OK')")
	fmt.Fprintln(m.out, "FILE DOWNLOAD COMPLETE!!!")
	if !report.Verified {
		fmt.Fprintln(m.out, verified(report))
	}
	return nil
}

// show prints what the directory holds as the document's program, which is written in
// Python, prints its list.
func show(ctx context.Context, w io.Writer, c *directory.Client) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	contents, err := c.View(ctx)
	if err != nil {
		return err
	}
	peers := make([]string, len(contents.Peers))
	for i, p := range contents.Peers {
		words := []string{quote(p.Addr.Addr().String()), quote(strconv.Itoa(int(p.Addr.Port())))}
		for _, f := range p.Files {
			words = append(words, quote(f))
		}
		peers[i] = "[" + strings.Join(append(words, seconds(p.Heard)), ", ") + "]"
	}
	fmt.Fprintf(w, "[%s]\n%s\n", strings.Join(peers, ", "), tuple(c.Directory))
	if more := contents.Total - len(contents.Peers); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	return nil
}

// quote writes a string as Python does, with an escape sequence for each character that is
// not printable.
func quote(s string) string {
	q := printable.Quote(s)
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return q
	}
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	return "'" + strings.ReplaceAll(q, "'", `\'`) + "'"
}

// seconds writes a time stamp as Python does: seconds, and no zeros at the end.
func seconds(t time.Time) string {
	s := strings.TrimRight(fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000), "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

func tuple(a netip.AddrPort) string { return fmt.Sprintf("('%v', %d)", a.Addr(), a.Port()) }
