package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// copyTo is set in the environment of a process that runs a bare pair of io.Copy.
const copyTo = "FERRY_BENCH_COPY_TO"

// barePair forwards from listen to another host with nothing but io.Copy.
func barePair(listen, to string) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		up, err := net.Dial("tcp", to)
		if err != nil {
			panic(err)
		}
		pass := func(dst, src net.Conn) {
			io.Copy(dst, src)
			dst.(*net.TCPConn).CloseWrite()
		}
		go pass(up, c)
		go pass(c, up)
	}
}

// freeAddr is a TCP address without a listener.
func freeAddr(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// process runs a program until the benchmark ends, and waits until it listens at addr.
func process(b *testing.B, addr string, c *exec.Cmd) {
	b.Helper()
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Process.Kill(); c.Wait() })
	for range 500 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("%v does not listen at %s", c.Args, addr)
}

// tool finds a program that is raced against, or skips.
func tool(b *testing.B, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		b.Skipf("%s is not installed", name)
	}
	return path
}

// example builds one of our programs.
func example(b *testing.B, name string) string {
	out := filepath.Join(b.TempDir(), name)
	c := exec.Command("go", "build", "-o", out, "./"+name)
	c.Dir = "../examples"
	if msg, err := c.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, msg)
	}
	return out
}

// A room is a server with clients, all of which hear what one says.
type room struct {
	conns []net.Conn
	began time.Time
	heard chan time.Duration // how long each delivery took
}

// newRoom connects n clients, which then know that all are there.
func newRoom(b *testing.B, addr string, n int) *room {
	r := &room{began: time.Now(), heard: make(chan time.Duration, 4*n)}
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		r.conns = append(r.conns, c)
	}
	for _, c := range r.conns {
		go r.listen(c)
	}
	// Until what the first says arrives at all, and what the last says arrives at the
	// first.
	for arrived := 0; arrived < n-1; {
		r.say(0)
		for timeout := time.After(time.Second); ; {
			select {
			case <-r.heard:
				arrived++
				continue
			case <-timeout:
			}
			break
		}
		if arrived < n-1 {
			arrived = 0
		}
	}
	return r
}

// say sends a line of 64 bytes that says when it was sent.
func (r *room) say(i int) {
	fmt.Fprintf(r.conns[i], "at%61d\n", time.Since(r.began))
}

// listen measures what one client hears.
func (r *room) listen(c net.Conn) {
	for in := bufio.NewScanner(c); in.Scan(); {
		line := in.Text()
		if len(line) < 20 {
			continue
		}
		sent, err := strconv.ParseInt(string(lastWord(line)), 10, 64)
		if err == nil {
			r.heard <- time.Since(r.began) - time.Duration(sent)
		}
	}
}

func lastWord(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ' ' {
			return s[i+1:]
		}
	}
	return s
}

// chatter lets all clients in turn say rate messages per second for a while, and
// returns the times that the deliveries took.
func (r *room) chatter(rate int, d time.Duration) []time.Duration {
	messages := int(float64(rate) * d.Seconds())
	times := make([]time.Duration, 0, messages*(len(r.conns)-1))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for late := time.After(d + 5*time.Second); len(times) < cap(times); {
			select {
			case t := <-r.heard:
				times = append(times, t)
			case <-late:
				return
			}
		}
	}()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range messages {
		<-tick.C
		r.say(i % len(r.conns))
	}
	<-done
	slices.Sort(times)
	return times
}

// BenchmarkRelayLatency races relayd against ncat --broker --chat: how long it takes
// from a client's write to the others' reads. One iteration is two seconds of either.
func BenchmarkRelayLatency(b *testing.B) {
	ncat := tool(b, "ncat")
	relayd := example(b, "relayd")
	for _, load := range []struct{ clients, rate int }{{50, 1500}, {500, 20}} {
		b.Run(fmt.Sprintf("clients=%d/rate=%d", load.clients, load.rate), func(b *testing.B) {
			oursAt, theirsAt := freeAddr(b), freeAddr(b)
			process(b, oursAt, exec.Command(relayd, "-listen", oursAt, "-max", "-1"))
			host, port, _ := net.SplitHostPort(theirsAt)
			process(b, theirsAt, exec.Command(ncat, "-l", "--broker", "--chat", "-m", "1000", host, port))
			rooms := []*room{newRoom(b, oursAt, load.clients), newRoom(b, theirsAt, load.clients)}
			medians, p99s, worst := [2][]float64{}, [2][]float64{}, [2]int{}
			for b.Loop() {
				for i, r := range rooms {
					times := r.chatter(load.rate, 2*time.Second)
					if want := 2 * load.rate * (load.clients - 1); len(times) < want {
						worst[i] += want - len(times)
					}
					medians[i] = append(medians[i], float64(times[len(times)/2])/1e3)
					p99s[i] = append(p99s[i], float64(times[len(times)*99/100])/1e3)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(medians[0]), "relayd-p50-us")
			b.ReportMetric(median(medians[1]), "ncat-p50-us")
			b.ReportMetric(median(p99s[0]), "relayd-p99-us")
			b.ReportMetric(median(p99s[1]), "ncat-p99-us")
			b.ReportMetric(median(p99s[0])/median(p99s[1]), "p99-relayd/ncat")
			if worst[0] > 0 {
				b.Errorf("relayd did not deliver %d messages", worst[0])
			}
			if worst[1] > 0 {
				b.Logf("ncat did not deliver %d messages", worst[1])
			}
		})
	}
}

// BenchmarkForwarder races forwarder against a bare pair of io.Copy and against socat:
// bytes per second through one connection. One iteration is 256 MiB through each.
func BenchmarkForwarder(b *testing.B) {
	socat := tool(b, "socat")
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	const size = 256 << 20
	var arrived sync.WaitGroup
	go func() {
		for {
			c, err := sink.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10)); n == size {
					arrived.Done()
				}
			}()
		}
	}()
	to := sink.Addr().String()
	forwarder := example(b, "forwarder")
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	addrs := []string{freeAddr(b), freeAddr(b), freeAddr(b)}
	process(b, addrs[0], exec.Command(forwarder, "-listen", addrs[0], "-to", to))
	bare := exec.CommandContext(context.Background(), self, addrs[1])
	bare.Env = append(os.Environ(), copyTo+"="+to)
	process(b, addrs[1], bare)
	_, port, _ := net.SplitHostPort(addrs[2])
	process(b, addrs[2], exec.Command(socat, "TCP-LISTEN:"+port+",bind=127.0.0.1,fork,reuseaddr", "TCP:"+to))

	chunk := make([]byte, 256<<10)
	var rates [3][]float64
	for turn := 0; b.Loop(); turn++ {
		for k := range addrs {
			i := (turn + k) % len(addrs) // nobody is always the first
			c, err := net.Dial("tcp", addrs[i])
			if err != nil {
				b.Fatal(err)
			}
			arrived.Add(1)
			start := time.Now()
			for range size / len(chunk) {
				c.Write(chunk)
			}
			c.Close()
			arrived.Wait()
			rates[i] = append(rates[i], size/time.Since(start).Seconds()/1e6)
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, name := range []string{"forwarder", "io.Copy", "socat"} {
		b.ReportMetric(median(rates[i]), name+"-MB/s")
	}
	b.ReportMetric(median(rates[0])/median(rates[1]), "forwarder/io.Copy")
	b.ReportMetric(median(rates[0])/median(rates[2]), "forwarder/socat")
}
