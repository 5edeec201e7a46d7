package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// kind is a type of setting: how a value is read, what it must be, and how the
// help names it.
type kind struct {
	placeholder string
	must        string // continues "must be ..."
	brief       string // for the docs, where must is long or says nothing
	several     bool   // may be given more than once
	bare        bool   // as a flag it needs no value
	parse       func(value string) (any, error)
	separate    func(text string) []string  // of several: the values in one text; nil: a flag has one, a variable has those between commas or spaces
	whole       func(values []string) error // of several: whether they go together
}

// errNot says that a value is not what the kind says it must be.
var errNot = errors.New("not of that kind")

// flat are the values in what was given.
func (k kind) flat(given []string) (values []string) {
	if k.separate == nil {
		return given
	}
	for _, text := range given {
		values = append(values, k.separate(text)...)
	}
	return values
}

// wrong is the value that store refuses.
func (k kind) wrong(values []string) string {
	if k.several && k.whole != nil {
		return strings.Join(values, ",")
	}
	for _, v := range values {
		if _, err := k.parse(v); err != nil && k.several {
			return v
		}
	}
	return values[len(values)-1]
}

// store reads the values into the field that `into` points to.
func (k kind) store(into any, values []string) error {
	if field, ok := into.(*[]string); ok {
		for _, v := range values {
			if _, err := k.parse(v); err != nil {
				return errors.New(k.must)
			}
		}
		if k.whole != nil && k.whole(values) != nil {
			return errors.New(k.must)
		}
		*field = values
		return nil
	}
	parsed, err := k.parse(values[len(values)-1])
	if err != nil {
		return errors.New(k.must)
	}
	switch field := into.(type) {
	case *string:
		*field = parsed.(string)
	case *int:
		*field = int(parsed.(int64))
	case *bool:
		*field = parsed.(bool)
	case *int64:
		*field = parsed.(int64)
	case *time.Duration:
		*field = parsed.(time.Duration)
	default:
		panic(fmt.Sprintf("a setting of type %T", into))
	}
	return nil
}

// word lets one more word stand for a value.
func (k kind) word(word string, value any) kind {
	inner := k.parse
	k.must += ", or " + word
	k.placeholder += "|" + word
	if k.brief != "" {
		k.brief += " or " + word
	}
	k.parse = func(text string) (any, error) {
		if text == word {
			return value, nil
		}
		return inner(text)
	}
	return k
}

// orAuto lets the number be left to gobridge: 0 in settings.
func (k kind) orAuto() kind { return k.word("auto", int64(0)) }

// orOff lets a limit be taken away: 0 in settings.
func (k kind) orOff() kind {
	if k.brief == span.brief {
		return k.word("off", time.Duration(0))
	}
	return k.word("off", int64(0))
}

// listOf lets a value be given more than once.
func listOf(k kind) kind {
	k.several = true
	return k
}

// yes is what is so or is not. As a flag it needs no value: --name, or --name=false.
var yes = kind{placeholder: "", must: "true or false", bare: true, parse: func(value string) (any, error) {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return nil, errNot
}}

// text is any value but the empty one.
func text(placeholder string) kind {
	return kind{placeholder: placeholder, must: "given", brief: placeholder, parse: func(value string) (any, error) {
		if value == "" {
			return nil, errNot
		}
		return value, nil
	}}
}

// choice is one of a few words.
func choice(words ...string) kind {
	return kind{placeholder: strings.Join(words, "|"), must: "one of " + strings.Join(words, ", "),
		parse: func(value string) (any, error) {
			for _, w := range words {
				if value == w {
					return value, nil
				}
			}
			return nil, errNot
		}}
}

func number(least, most int64) kind {
	return kind{placeholder: "N", must: fmt.Sprintf("a number from %d to %d", least, most),
		parse: func(value string) (any, error) {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < least || n > most {
				return nil, errNot
			}
			return n, nil
		}}
}

// size is a number of bytes, written with K, M or G for powers of 1024.
func size(least, most int64) kind {
	must := "a size in bytes, like 512K, 10M or 1G"
	if most < 1<<40 {
		must = fmt.Sprintf("a size in bytes from %s to %s, like 64K", bytesText(least), bytesText(most))
	}
	return kind{placeholder: "SIZE", must: must, parse: func(value string) (any, error) {
		digits, unit := value, int64(1)
		if i := strings.IndexAny(value, "KMG"); i >= 0 && i == len(value)-1 {
			digits, unit = value[:i], 1<<(10*(1+strings.IndexByte("KMG", value[i])))
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/unit || n*unit < max(least, 1) || n*unit > most {
			return nil, errNot
		}
		return n * unit, nil
	}}
}

func bytesText(n int64) string {
	for i, unit := range []string{"", "K", "M", "G"} {
		if shifted := n >> (10 * i); shifted < 1024 {
			return strconv.FormatInt(shifted, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

// span is a length of time; a plain number is seconds.
var span = kind{placeholder: "TIME", brief: "TIME", must: "a time, like 500ms, 30s, 5m or 1h30m (a plain number is seconds)",
	parse: func(value string) (any, error) {
		if n, err := strconv.ParseFloat(value, 64); err == nil && n < 1e9 {
			value = strconv.FormatFloat(n, 'f', -1, 64) + "s"
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return nil, errNot
		}
		return d, nil
	}}
