package p2mp

import "testing"

func TestPolicyText(t *testing.T) {
	for p, want := range map[Policy]string{Drop: "drop", Fail: "fail", Wait: "wait"} {
		b, err := p.MarshalText()
		var q Policy
		if err != nil || string(b) != want || q.UnmarshalText(b) != nil || q != p {
			t.Errorf("%d: %q, %v; back: %v", p, b, err, q)
		}
	}
	p := Wait
	if err := p.UnmarshalText([]byte("Drop")); err == nil || p != Wait {
		t.Errorf("an unknown name: %v, %v", p, err)
	}
	if got := Policy(7).String(); got != "policy 7" {
		t.Errorf("Policy(7) = %q", got)
	}
}
