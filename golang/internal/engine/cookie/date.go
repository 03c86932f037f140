package cookie

import (
	"strings"
	"time"
)

// parseDate is the algorithm of section 5.1.1: it picks a time, a day of the
// month, a month and a year out of whatever stands between delimiters, since
// servers write dates in more ways than HTTP has.
func parseDate(text string) (time.Time, bool) {
	var d date
	for text != "" {
		end := strings.IndexFunc(text, isDelimiter)
		if end < 0 {
			end = len(text)
		}
		d.take(text[:end])
		text = text[min(end+1, len(text)):]
	}
	return d.time()
}

// date is found piece by piece; -1 and 0 stand for what was not found yet.
type date struct {
	hasTime, hasDay, hasYear bool
	hour, minute, second     int
	day, year                int
	month                    time.Month
}

func isDelimiter(r rune) bool {
	return r == '\t' || ' ' <= r && r <= '/' || ';' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
}

// take gives a token to the first part that is missing and can read it.
func (d *date) take(token string) {
	switch {
	case token == "":
	case !d.hasTime && d.takeTime(token):
	case !d.hasDay && takeNumber(&d.day, token, 1, 2):
		d.hasDay = true
	case d.month == 0 && d.takeMonth(token):
	case !d.hasYear && takeNumber(&d.year, token, 2, 4):
		d.hasYear = true
	}
}

// takeTime reads hms-time: three numbers of one or two digits.
func (d *date) takeTime(token string) bool {
	hour, rest, first := strings.Cut(token, ":")
	minute, second, another := strings.Cut(rest, ":")
	var h, m, s int
	if !first || !another || strings.Trim(hour+minute, "0123456789") != "" {
		return false
	}
	if !takeNumber(&h, hour, 1, 2) || !takeNumber(&m, minute, 1, 2) || !takeNumber(&s, second, 1, 2) {
		return false
	}
	d.hour, d.minute, d.second, d.hasTime = h, m, s, true
	return true
}

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

func (d *date) takeMonth(token string) bool {
	if len(token) < 3 {
		return false
	}
	index := strings.Index(months, strings.ToLower(token[:3]))
	if index < 0 || index%3 != 0 {
		return false
	}
	d.month = time.Month(index/3 + 1)
	return true
}

// takeNumber reads least to most digits; what follows them must not be one.
func takeNumber(into *int, token string, least, most int) bool {
	number, digits := 0, 0
	for digits < len(token) && token[digits] >= '0' && token[digits] <= '9' {
		if digits == most {
			return false
		}
		number = 10*number + int(token[digits]-'0')
		digits++
	}
	if digits < least {
		return false
	}
	*into = number
	return true
}

func (d *date) time() (time.Time, bool) {
	switch {
	case d.year >= 70 && d.year <= 99:
		d.year += 1900
	case d.year <= 69:
		d.year += 2000
	}
	if !d.hasTime || !d.hasDay || d.month == 0 || !d.hasYear ||
		d.day < 1 || d.day > 31 || d.year < 1601 || d.hour > 23 || d.minute > 59 || d.second > 59 {
		return time.Time{}, false
	}
	at := time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, time.UTC)
	return at, at.Day() == d.day // 31 February is no date
}
