package ferry

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocsNameTests: every test that docs/ names exists.
func TestDocsNameTests(t *testing.T) {
	there := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := fs.Glob(os.DirFS("."), "docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range named.FindAllString(string(text), -1) {
			if !there[name] {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
	}
}

// TestArchitectureNamesFiles: every Go file that docs/architecture.md sends a reader to exists.
func TestArchitectureNamesFiles(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := "" // of the file named before, on the same line
	n := 0
	for line := range strings.Lines(string(text)) {
		dir = ""
		for _, name := range regexp.MustCompile(`[\w/*]+\.go\b`).FindAllString(line, -1) {
			if strings.Contains(name, "/") {
				dir = name[:strings.LastIndex(name, "/")+1]
			}
			found, err := fs.Glob(os.DirFS("."), name)
			if len(found) == 0 && dir != "" {
				found, err = fs.Glob(os.DirFS("."), dir+name)
			}
			inPackage, _ := fs.Glob(os.DirFS("."), "*/"+name)
			inRoom, _ := fs.Glob(os.DirFS("."), "*/*/"+name)
			if n++; err != nil || len(found)+len(inPackage)+len(inRoom) == 0 {
				t.Errorf("there is no %s", name)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d files are named", n)
	}
}
