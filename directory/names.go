package directory

import "github.com/ferrygo/ferry/internal/wholefile"

// names holds each file name once, by number.
type names struct {
	ids     map[string]uint32
	records []nameRecord
	free    []uint32
}

// A nameRecord is one name, and the peers that have such a file. first has one peer of
// each host, and more has the other peers of the same hosts. So one host with many ports
// cannot keep other hosts out of an answer.
type nameRecord struct {
	text        string
	first, more []holder
	turn        uint32 // where the next answer begins
}

// A holder is a peer that has a file: the file at index in its list.
type holder struct{ peer, index uint32 }

// A holding is a file of a peer: the number of its name, and where the peer stands among
// the name's holders.
type holding struct{ name, at uint32 }

// inMore marks a place in more.
const inMore = 1 << 31

// list returns the list that a place is in, and the index there.
func (n *nameRecord) list(at uint32) (*[]holder, uint32) {
	if at&inMore != 0 {
		return &n.more, at &^ inMore
	}
	return &n.first, at
}

func (n *names) record(id uint32) *nameRecord { return &n.records[id] }

// intern returns the number of a name, a new one if there is none.
func (n *names) intern(text string) (id uint32, isNew bool) {
	id, ok := n.ids[text]
	if ok {
		return id, false
	}
	if k := len(n.free); k > 0 {
		id, n.free = n.free[k-1], n.free[:k-1]
	} else {
		id = uint32(len(n.records))
		n.records = append(n.records, nameRecord{})
	}
	n.records[id] = nameRecord{text: text}
	n.ids[text] = id
	return id, true
}

// forget frees the number of a name that no peer has any more.
func (n *names) forget(id uint32) {
	delete(n.ids, n.records[id].text)
	n.records[id] = nameRecord{}
	n.free = append(n.free, id)
}

// parseNames decodes the file names of an update, each followed by a space. A name that
// comes twice counts once. It fails if there are more than max names, or if one of them is
// not a valid file name.
func parseNames(files []byte, max int) ([]string, Code, bool) {
	var list []string
	seen := make(map[string]struct{})
	for len(files) > 0 {
		var word []byte
		word, files = nextWord(files)
		name, code, ok := parseName(word)
		if !ok {
			return nil, code, false
		}
		if _, twice := seen[name]; twice {
			continue
		}
		if len(list) >= max {
			return nil, CodeTooLong, false
		}
		seen[name] = struct{}{}
		list = append(list, name)
	}
	return list, 0, true
}

// parseName decodes one file name.
func parseName(word []byte) (string, Code, bool) {
	name, err := parseField(word)
	if err != nil || wholefile.CheckName(name) != nil {
		return "", CodeMalformed, false
	}
	return name, 0, true
}
