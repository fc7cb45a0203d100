package ferry

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ferrygo/ferry"

// A room is a set of packages with the same rule on what they import.
type room struct {
	name string
	has  func(pkg string) bool // pkg is relative to the module
	may  []string              // prefixes of import paths, beside the standard library
}

// rooms are the import rules of docs/architecture.md, for code that is not a
// test. The first room that has a package counts.
var rooms = []room{
	{"the root", is(""), []string{module + "/internal/"}},
	{"checksum", is("checksum"), nil},
	{"the simulators", is("internal/chordsim", "internal/gnutellasim", "internal/freenetsim"), []string{
		module + "/directory/", module + "/internal/",
	}},
	{"internal", under("internal"), []string{
		module + "/internal/", module + "/checksum",
		"golang.org/x/net/", "golang.org/x/sync/", "golang.org/x/sys/",
	}},
	{"lossy, multicast and sealed", is("lossy", "multicast", "sealed"), []string{
		module + "/internal/datagram", "golang.org/x/net/", "golang.org/x/sys/",
	}},
	{"the rooms of lossy", under("lossy"), []string{
		module + "/lossy", module + "/internal/datagram", "golang.org/x/net/", "golang.org/x/sys/",
	}},
	{"directory/fetch", is("directory/fetch"), []string{
		module, module + "/internal/", "golang.org/x/net/", "golang.org/x/sync/",
	}},
	{"directory", is("directory"), []string{
		module, module + "/directory/fetch", module + "/checksum", module + "/internal/", "golang.org/x/net/", "golang.org/x/sync/",
	}},
	{"the overlays", is("directory/chord", "directory/gnutella", "directory/freenet"), []string{
		module, module + "/directory", module + "/directory/fetch", module + "/internal/", "golang.org/x/net/", "golang.org/x/sync/",
	}},
	{"the protocols", is("p2mp", "octoput", "tftp", "relay"), []string{
		module, module + "/checksum", module + "/internal/", "golang.org/x/net/", "golang.org/x/sync/",
	}},
}

func is(names ...string) func(string) bool {
	return func(pkg string) bool { return slices.Contains(names, pkg) }
}

func under(dir string) func(string) bool {
	return func(pkg string) bool { return strings.HasPrefix(pkg, dir+"/") }
}

// fault says what is wrong with a package's place or its imports.
func fault(pkg string, imports []string) string {
	for _, r := range rooms {
		if !r.has(pkg) {
			continue
		}
		for _, path := range imports {
			first, _, _ := strings.Cut(path, "/")
			standard := !strings.Contains(first, ".")
			if !standard && !slices.ContainsFunc(r.may, func(p string) bool { return allows(p, path) }) {
				return r.name + " may not import " + path
			}
		}
		return ""
	}
	return "belongs to no room"
}

// allows reports whether a rule, a package or a prefix that ends with a slash, allows an
// import.
func allows(rule, path string) bool {
	return rule == path || strings.HasSuffix(rule, "/") && strings.HasPrefix(path, rule)
}

// TestImports keeps the arrows of docs/architecture.md pointing one way.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.HasPrefix(pkg, "examples") {
			continue // may import what they like
		}
		seen++
		if f := fault(pkg, p.Imports); f != "" {
			t.Errorf("%s: %s", p.ImportPath, f)
		}
		switch pkg[strings.LastIndex(pkg, "/")+1:] {
		case "util", "utils", "common", "types", "helpers":
			t.Errorf("%s: a package is named for what it does", p.ImportPath)
		}
	}
	if seen < 5 {
		t.Errorf("go list named only %d packages", seen)
	}
}

// TestImportRules shows that the rules can be broken.
func TestImportRules(t *testing.T) {
	for _, tt := range []struct {
		pkg, imports string
		ok           bool
	}{
		{"checksum", "hash", true},
		{"checksum", "golang.org/x/sys/cpu", false},
		{"p2mp", module + "/checksum", true},
		{"p2mp", module, true},
		{"lossy", module, false},
		{"p2mp", module + "/lossy", false},
		{"p2mp", module + "/tftp", false},
		{"p2mp", "github.com/google/go-cmp/cmp", false},
		{"lossy", module + "/internal/datagram", true},
		{"lossy", module + "/internal/rtt", false},
		{"lossy", module + "/checksum", false},
		{"sealed", module + "/internal/datagram", true},
		{"sealed", module + "/lossy", false},
		{"p2mp", module + "/sealed", false},
		{"lossy/proxy", module + "/lossy", true},
		{"lossy/proxy", module + "/checksum", false},
		{"internal/datagram", module + "/lossy", false},
		{"internal/datagram", "golang.org/x/sys/unix", true},
		{"elsewhere", "fmt", false},
	} {
		if f := fault(tt.pkg, []string{tt.imports}); (f == "") != tt.ok {
			t.Errorf("%s imports %s: %q, want ok %v", tt.pkg, tt.imports, f, tt.ok)
		}
	}
}
