package fault

import (
	"errors"
	"strings"
	"testing"
)

func broken(value any) (err error) {
	defer Catch(&err)
	panic(value)
}

// A panic becomes an error that says what it was and where.
func TestCatch(t *testing.T) {
	err := broken("why")
	var caught *Error
	if !errors.As(err, &caught) || caught.Value != "why" || !strings.Contains(err.Error(), "fault.broken") {
		t.Error(err)
	}
}

// What ends as it should keeps its own error.
func TestNothingToCatch(t *testing.T) {
	own := errors.New("own")
	err := func() (err error) {
		defer Catch(&err)
		return own
	}()
	if err != own {
		t.Error(err)
	}
}

// A panic that nobody can be told of ends here.
func TestSurvive(t *testing.T) {
	func() {
		defer Survive()
		panic("why")
	}()
}
