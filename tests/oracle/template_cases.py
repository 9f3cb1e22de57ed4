"""Small templates, one behaviour each, for templates.py."""

DATA = {
    "n": 7, "f": 2.5, "neg": -3, "big": 18446744073709551615, "t": True, "no": None,
    "s": "Hello, World", "empty": "", "u": "Ünïcödé ßtraße 日本 🙂", "lines": "a\nb\r\n\nc\td\x0be",
    "q": "it's \"quoted\" \\ back\n\x01\x7f\u200b",
    "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "mixed": [1, "x", None, True, 2.0, [1], {"k": 1}],
    "obj": {"b": 1, "a": {"x": [1, 2]}, "C": None, "items": "shadow"},
    "users": [{"name": "Bo", "age": 30, "tags": ["x", "y"], "city": "CA"},
              {"name": "al", "age": 25, "tags": [], "city": "NY"},
              {"name": "Cy", "age": 30, "city": "ca"}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": [{"v": 3}]}, {"v": 4}]}, {"v": 5}],
    "html": "<a href=\"x\">&'</a>", "x": {"__class__": 1, "get": 5},
}

PRINTS = r"""
none true True None nope nope.x nope['x'] n.x no.x 1 1.0 1e5 1e16 1e-5 1.5e300 0.1+0.2 1_000 0x1F 0o17 0b101 'a' "b" 'a' 'b'
[] [1,] (1,) (1,2) () {} {'a':1,'b':[1,'x',none]} [1,'two',3.0,none,true,{'k':'v'}] ('a',)
n+1 n-10 n*2 n/2 n//2 neg//2 n%3 neg%3 n%-3 n**2 2**-1 2**0.5 -n**2 (-n)**2 7.5//2 -7.5//2 7.5%2 -7.5%2 1/3 n/0 n//0 n%0 1.0/0
big big+1 t+1 t*3 t~1 'a'+'b' 'a'*3 3*'ab' 'a'*-1 [1]+[2] (1,)+(2,) [1]*3 'a'+1 1+'a' [1]+(2,) nope+1 1+nope no+1 -nope -'a' +n
'a'~1~none~true~1.5~[1]~nope n==7 n==7.0 n=='7' t==1 none==none nope==nope nope==none [1]==[1] [1]==(1,) {'a':1}=={'a':1.0} n!=7 n<8 n<=7 n>7 n>=7
'a'<'b' 'A'<'a' 'a'<1 [1,2]<[1,3] [1]<[1,0] none<1 1<2<3 1<3<2 3>2>1 'a'in'abc' 'x'in'abc' 'x' not in 'abc' 1 in [1,2] 'b' in obj 'z' in obj 'a' in nope 1 in n 1 in 'abc'
not true not nope not [] n and 0 n or 0 0 and nope nope or 'd' '' or none [] and 1 not n==7 not 'a' in 'abc'
'y' if true else 'n' 'y' if false else 'n' 'y' if nope ('y' if false)~'z' ('y' if false).x 1 if 0 else 2 if 0 else 3
list[0] list[-1] list[5] list['0'] list['x'] list.0 list[1:] list[:-1] list[::-1] list[::2] list[5:] list[-2:] list[2:0] list[2:0:-1] list[::0] list[1:2,3] list[t]
s[0] s[-1] s[99] s[1:4] s[::-1] s[::2] s[-3:] s[:] s[:-1] s['x'] u[0] u[3:8] u[-1] u[::-1] u[20:] u[-4:-1] empty[0] empty[:1] (1,2,3)[1:] (1,2,3)[0]
obj.a obj['a'] obj.a.x obj.a.x[1] obj['a']['x'][0] obj.nope obj['nope'] obj.nope.x obj.C obj.items obj['items'] obj.get('b') obj.get('z') obj.get('z',5) obj.get('C','d') obj.get() obj.get('b',default=1)
obj.keys()|list obj.values()|list obj.items()|list obj.keys() obj.values() obj.items() obj.keys()|length obj.items()|first obj.copy() obj.a.items()|list x.get x['get'] x.__class__ x['__class__']
s.__class__ ''.__class__.__mro__ s['__class__'] list.__class__ n.__class__ nope.__class__ list.append list.append(1) list.pop() list.insert(0,1) list.sort() list.reverse() list.extend([1]) list.remove(1) list.clear() obj.pop('b') obj.update({}) obj.setdefault('a',1) obj.clear() obj.popitem() list.index(1) list.index(9) list.count(1) list.copy() (1,2,1).count(1) (1,2).index(2)
s.upper() s.lower() s.title() s.capitalize() u.upper() u.lower() u.title() u.capitalize() 'ΣΑΣ'.lower() "they're bill's".title() s.swapcase s.upper s.nope s.upper().lower() s.upper(1)
'  a b '.strip()~'|' '  a b '.lstrip()~'|' '  a b '.rstrip()~'|' 'xxaxx'.strip('x') 'xyaxy'.lstrip('xy') 'abcab'.rstrip('ab') 'ééaé'.strip('é') '\u00a0\u2003a\u3000'.strip() 'a'.strip(none) 'a'.strip(1)
s.split() s.split(',') s.split(', ',1) 'a,b,c'.split(',',1) 'a,b,c'.rsplit(',',1) 'a,b,c'.split(',')[-1] ''.split() ''.split(',') '  a  b '.split() '  a  b c '.split(none,1) '  a  b c '.rsplit(none,1) 'aXXbXXc'.split('XX') 'a'.split('') 'a b'.split(sep=' ') 'a b c'.split(maxsplit=1) 'a b c'.rsplit(maxsplit=1) 'a,b'.rsplit(',')
lines.splitlines() lines.splitlines(true) ''.splitlines() 'a\n'.splitlines() 'a=b=c'.partition('=') 'a=b=c'.rpartition('=') 'abc'.partition('=') 'abc'.rpartition('=')
s.startswith('He') s.startswith('x') s.startswith(('x','H')) s.startswith(()) s.endswith('d') s.endswith(('x','World')) s.startswith('W',7) s.startswith('o',4,5) s.endswith('o',0,5) s.startswith(['H']) s.startswith(1) s.startswith('')
s.find('o') s.find('o',5) s.find('zz') s.rfind('o') s.index('W') s.index('zz') u.find('日') s.count('o') s.count('') 'aaaa'.count('aa') s.count('o',5) s.count('l',0,4) s.find('o',-5) s.find('',50)
s.replace('o','0') s.replace('o','0',1) s.replace('','-') 'abc'.replace('','-',2) s.replace('zz','y') 'aaa'.replace('aa','b') u.replace('日本','JP') s.replace('o')
','.join(['a','b']) ','.join([]) ''.join(words) '-'.join('abc') ','.join([1]) ','.join(obj) ', '.join(words|map('upper'))
'{}'.format(1) '{} {}'.format('a','b') '{1} {0}'.format('a','b') '{a}'.format(a=1) '{0.a}'.format(obj) '{0[a]}'.format(obj) '{:>5}'.format('a') '{:05d}'.format(42) '{:.2f}'.format(3.14159) '{:,}'.format(1234567) '{!r}'.format('a') '{{}}'.format() '{}'.format() '{:x}'.format(255) '{:>{}}'.format('a',4) '{:^7}|'.format('ab') '{:*<5}'.format('a') '{:+d}'.format(3) '{:e}'.format(12345.678) '{:%}'.format(0.25) '{:g}'.format(0.0001) '{0.__class__}'.format(1) '{:d}'.format('a') '{'.format(1) '{:10}|'.format(5) '{:10}|'.format('a') '{:b}'.format(5) '{:#x}'.format(255) '{}'.format(none) '{:s}'.format('x') '{:.3}'.format('abcdef') '{:.3}'.format(3.14159)
'%s'%'a' '%s %s'%('a',1) '%d'%3.7 '%05.2f'%3.14159 '%x'%255 '%r'%'a' '%%' '%%'%() '%(a)s'%{'a':1} '%s'%none '%5s|'%'a' '%-5s|'%'a' '%s' % [1,2] '%d'%'x' '%s %s'%'a' '%s'%('a','b') '%+d'%5 '%e'%12345.678 '%g'%1e10 '%c'%'x' '%i'%3 '%.3s'%'abcdef' '%5.1f|'%2.25
'abc'.isalpha() 'ab1'.isalpha() '12'.isdigit() ''.isdigit() 'ab1'.isalnum() '  '.isspace() 'abc'.islower() 'ABC'.isupper() 'aB'.islower() '1'.islower() 'é'.isascii() 'a'.center(5,'*') 'a'.ljust(3)~'|' 'a'.rjust(3) '42'.zfill(5) '-42'.zfill(5) 'abcd'.center(7,'*') 'ab'.center(5,'*') 'prefix-x'.removeprefix('prefix-') 'x.py'.removesuffix('.py')
(2.0).is_integer() (2.5).is_integer() range(3) range(3)|list range(1,10,3)|list range(5,0,-2)|list range(0) range(3)[1] range(3)[-1] range(10)[2:4]|list range(3)|length 2 in range(3) 5 in range(3) range(0,5,0) range(200000) range(100000)|length range('a') range(1.5) range(5)|sum
dict(a=1,b=2) dict({'a':1},b=3) dict([['a',1]]) dict() namespace(a=1) namespace(a=1).a namespace(a=1).b namespace({'a':1}).a namespace(_a=1) cycler('a','b').next() cycler() joiner('|')()~'x' joiner raise_exception('boom') raise_exception() strftime_now('%Y-%m-%d') strftime_now('%d %B %Y, %A') strftime_now('%%') strftime_now('')~'x'
"""

FILTERED = r"""
s|upper s|lower s|title 'foo-bar (baz) [qux] <x> it\'s'|title s|capitalize 'ÉCOLE'|capitalize n|upper none|upper nope|upper nope|upper|length '  x '|trim~'|' 'xxaxx'|trim('x') n|trim nope|trim
s|length list|length obj|length n|length none|length nope|length u|length s|count list|count s|list obj|list nope|list n|list (1,2)|list 'ab'|list|first
n|string none|string true|string 1.0|string nope|string list|string obj|string mixed|string q|string [q]|string {'k':q} ['a\'b'] ['a"b'] ['a\'b"c'] [u] [1.0,1e20,1e-7]
'42'|int '42.7'|int 'x'|int 'x'|int(5) ' 42 '|int '0x1F'|int(0,16) '1f'|int(0,16) '-5'|int '1_000'|int 3.9|int -3.9|int true|int none|int none|int(3) nope|int list|int '1e3'|int 'inf'|int '101'|int(base=2) '0x1A'|int(base=0) ''|int
'4.5'|float 'x'|float 'x'|float(1.5) '1e5'|float n|float none|float nope|float ' 2 '|float 'nan'|float 'inf'|float '-inf'|float true|float
nope|default('d') nope|default ''|default('d') ''|default('d',true) none|default('d') none|default('d',true) nope|d('x') false|default('d',boolean=true) n|default('d') nope|default(none) nope.x|default('d') obj.nope|default('d') nope|default(default_value='k')
s|replace('o','0') s|replace('o','0',1) 'aaa'|replace('a','b',count=2) n|replace('7','8') nope|replace('a','b') s|replace('o',1) s|replace('','-')
list|join list|join(',') words|join(', ') users|join(',',attribute='name') mixed|join('-') nope|join(',') n|join 'abc'|join('-') obj|join(',') list|join(1) users|map(attribute='name')|join('|') [nope,1]|join(',') []|join(',')
mixed|tojson obj|tojson s|tojson q|tojson u|tojson u|tojson(ensure_ascii=true) nope|tojson none|tojson true|tojson 1.0|tojson 1e20|tojson 1e16|tojson big|tojson html|tojson [1,{'a':[]},{}]|tojson(indent=2) obj|tojson(indent=4) []|tojson(indent=2) {}|tojson(indent=2) obj|tojson(separators=(',',':')) obj|tojson(sort_keys=true) {'b':1,'a':2}|tojson(sort_keys=true) {1:'a',none:2,true:3,1.5:4}|tojson {(1,2):3}|tojson (1,2)|tojson range(3)|tojson obj.items()|tojson obj|tojson(indent=0) [1,[2]]|tojson(indent='--') obj|tojson(2) obj|tojson(false,2) {'a':1,'b':[1]}|tojson(indent=2,separators=(',',': ')) 'é🙂\u2028\x7f'|tojson(true) namespace(a=1)|tojson obj|tojson(bad=1)
list|first list|last []|first []|last ''|first s|first s|last obj|first obj|last nope|first n|first (list|map('string'))|last (list|map('string'))|first range(5)|last
list|sort words|sort words|sort(case_sensitive=true) words|sort(reverse=true) list|sort(true) users|sort(attribute='age')|map(attribute='name')|list users|sort(attribute='age,name')|map(attribute='name')|list users|sort(attribute='age',reverse=true)|map(attribute='name')|list mixed|sort obj|sort 'hello'|sort nope|sort [[2,1],[1,2]]|sort n|sort
list|reverse|list s|reverse list|reverse 'añb'|reverse (1,2)|reverse|list nope|reverse|list n|reverse obj|reverse|list list|map('string')|reverse
list|sum []|sum users|sum(attribute='age') [1.5,2]|sum list|sum(start=10) ['a']|sum [[1],[2]]|sum(start=[]) nope|sum list|min list|max []|min []|max words|min words|max words|max(case_sensitive=true) users|max(attribute='age') users|min(attribute='age') mixed|max 'hello'|max
neg|abs -2.5|abs 'a'|abs nope|abs true|abs 2.5|round 3.5|round 2.675|round(2) 42.55|round(1) 42.55|round(1,'floor') 42.51|round(1,'ceil') 42|round 1234|round(-2) 1250|round(-2) 42.7|round|int 2.5|round(method='ceil') 'a'|round 2.5|round(0,'bad') -2.5|round 1e300|round 1234.5678|round(-2)
list|unique|list words|unique|list words|unique(case_sensitive=true)|list users|unique(attribute='age')|map(attribute='name')|list [1,1.0,true,2]|unique|list [[1],[1]]|unique|list ['a','A','b']|unique|list
words|map('upper')|list words|map('upper') users|map(attribute='name')|list users|map(attribute='nope')|list users|map(attribute='tags.0')|list users|map(attribute='nope',default='d')|list list|map('string')|join words|map('replace','a','z')|list words|map('nofilter')|list words|map|list users|map(attribute='name',bad=1)|list []|map('nofilter')|list nope|map('upper')|list list|map('tojson')|list words|map('default','x')|list users|map('length')|list n|map('upper')|list users|map(attribute=0)|list
list|select('odd')|list list|select|list mixed|select|list mixed|select('string')|list list|reject('odd')|list mixed|reject|list list|select('>',1)|list list|select('gt',1)|list list|select('in',[1,2])|list obj.keys()|reject('in',['a','b'])|list list|select('divisibleby',2)|list list|select('notest')|list users|selectattr('age')|map(attribute='name')|list users|selectattr('age','equalto',30)|map(attribute='name')|list users|selectattr('tags','defined')|map(attribute='name')|list users|rejectattr('tags')|map(attribute='name')|list users|rejectattr('name','==','Bo')|map(attribute='name')|list users|selectattr|list users|selectattr('name','in',['Bo'])|list|length nope|select|list list|select('odd') (list|select('odd'))|length users|selectattr('nope.x')|list
obj|items|list nope|items|list n|items|list obj|dictsort words|dictsort {'b':1,'A':2,'c':0}|dictsort {'b':1,'A':2,'c':0}|dictsort(true) {'b':1,'A':2,'c':0}|dictsort(false,'value') {'b':1,'A':2,'c':0}|dictsort(by='value',reverse=true) {'b':1}|dictsort(by='bad') nope|dictsort {'a':'Z','b':'y'}|dictsort(by='value') {1:2,'a':3}|dictsort
list|batch(2)|list list|batch(2,'-')|list list|slice(2)|list list|slice(2,'-')|list [1,2,3,4,5]|batch(2)|list [1,2,3,4,5]|slice(3)|list [1,2,3,4,5]|slice(3,'x')|list []|batch(2)|list list|slice(0)|list list|batch(0)|list
lines|indent 'a\nb'|indent 'a\nb'|indent(2) 'a\nb'|indent(2,true) 'a\n\nb'|indent(2,false,true) 'a\nb'|indent('>> ') 'a\nb\n'|indent(first=true) 'a\n'|indent ''|indent n|indent nope|indent 'a\nb'|indent(width=1,blank=true) 'x'|indent(3,first=true)
s|wordcount 'a b-c d_e é'|wordcount ''|wordcount n|wordcount 'abc'|center(9)~'|' 'ab'|center(5)~'|' s|truncate(5) s|truncate(8,true) s|truncate(8,false,'..',0) 'foo bar baz qux'|truncate(9) 'foo bar baz qux'|truncate(9,True) 'foo bar baz qux'|truncate(11) 'foo bar baz qux'|truncate(11,False,'...',0) s|truncate(1)
html|escape html|e html|safe html|forceescape html|escape|escape html|safe|escape n|escape none|e html|safe+'<' '<'+html|safe html|safe~'<' (html|safe).upper() html|escape|upper html|safe|string [html|safe] html|safe|length (html|safe).replace('a','<') (html|safe).split('"') nope|safe html|safe is escaped html is escaped '<'|safe*2 (html|tojson|safe)+'\n'
'a b/c?d=é&'|urlencode {'a':'b c','d':'/é'}|urlencode [['a',1]]|urlencode n|urlencode '%s-%s'|format('a',1) '%(a)s'|format(a=5) '%d'|format('x') '%s'|format(1,2) users|groupby('age') users|groupby('city')|list users|groupby('city',case_sensitive=true)|map('first')|list users|groupby('nope',default='z')|map('first')|list users|attr('x') obj|attr('b') obj|attr('keys') s|attr('upper') s|attr('__class__')
s|nofilter s|upper(1) s|upper|lower|title list|sort|reverse|first -1|abs 1+-1|abs '5'|int+1 'a'|upper~'b' n|string|length [1,2]|length+1 (list|length)*2 not list|length==3 s|upper.lower() s|default('x')|upper nope|default('x')|upper
"""

TESTED = r"""
nope is defined n is defined none is defined nope is not defined nope is undefined obj.nope is defined obj.a is defined obj.a.nope is defined nope.x is defined
none is none nope is none n is none n is not none t is boolean n is boolean t is true n is true false is false 0 is false t is integer n is integer f is integer f is float n is float n is number t is number s is number f is number
s is string n is string nope is string none is string obj is mapping list is mapping nope is mapping list is sequence s is sequence obj is sequence n is sequence nope is sequence range(3) is sequence (1,2) is sequence obj.items() is sequence
list is iterable n is iterable s is iterable nope is iterable none is iterable obj.keys() is iterable (list|map('string')) is iterable (list|map('string')) is sequence
n is odd n is even f is odd s is odd nope is even n is divisibleby(7) n is divisibleby 3 n is divisibleby 0 -3 is odd
'abc' is lower 'ABC' is upper 'aBC' is upper '' is lower n is lower s is callable range is callable nope is callable obj.get is callable joiner() is callable
n is sameas 7 none is sameas none t is sameas true t is sameas 1 1 is sameas 1.0 n is eq 7 n is equalto 7 n is ne 7 n is == 7 n is lt 8 n is gt 8 n is le 7 n is ge 8 n is lessthan(8) n is greaterthan 3 n is in [7] 'a' is in 'abc' n is in(list) n is not in [7]
'upper' is filter 'bad' is filter 'odd' is test 'bad' is test n is notest n is odd and t n is odd or nope n is not odd (n is odd) is boolean 'x' if n is odd else 'y' n is defined is true n is divisibleby(2)==false n is none or n is odd s is string and s is not none
"""

STATEMENTS = r"""
{% for i in list %}{{ i }},{% endfor %}
{% for i in [] %}x{% else %}none{% endfor %}
{% for i in nope %}x{% else %}none{% endfor %}
{% for i in n %}x{% endfor %}
{% for i in none %}x{% endfor %}
{% for k, v in obj.items() %}{{ k }}={{ v }};{% endfor %}
{% for k in obj %}{{ k }};{% endfor %}
{% for c in u %}{{ c }}.{% endfor %}
{% for a, b in [[1, 2], (3, 4)] %}{{ a }}-{{ b }} {% endfor %}
{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [[1]] %}{{ a }}{% endfor %}
{% for (a, b) in [[1, 2]] %}{{ a }}{{ b }}{% endfor %}
{% for i in list if i > 1 %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% endfor %}
{% for i in list if i > 9 %}x{% else %}e{% endfor %}
{% for i in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}
{% for i in list %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}
{% for i in list %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}
{% for i in list %}{{ loop.cycle('a', 'b') }}{% endfor %}
{% for i in list %}{{ loop.cycle() }}{% endfor %}
{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}
{% for i in [1, 1, 2] %}{% if loop.changed(i, 'x') %}{{ i }}{% endif %}{% endfor %}
{% for i in list %}{% for j in list %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}
{% for i in list %}{% set outer = loop %}{% for j in [1] %}{{ outer.index }}{% endfor %}{% endfor %}
{% for x in tree recursive %}{{ x.v }}@{{ loop.depth }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% endfor %}
{% for x in tree %}{{ loop(x.c) }}{% endfor %}
{{ loop }}
{{ loop.index }}
{% for i in list %}{{ loop }}{% endfor %}
{% for i in list %}{{ loop.nope }}{% endfor %}
{% for i in list|map('string') %}{{ loop.length }}{{ loop.last }}{{ i }} {% endfor %}
{% for i in range(10) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in range(5) %}{% if i is odd %}{% continue %}{% endif %}{{ i }}{% endfor %}
{% for i in range(3) %}{% for j in range(3) %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}
{% break %}
{% for i in list %}{% set x = i %}{% endfor %}{{ x }}
{% set x = 0 %}{% for i in list %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
{% set ns = namespace(x=0) %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
{% set ns = namespace(x=[]) %}{% for i in list %}{% set ns.x = ns.x + [i] %}{% endfor %}{{ ns.x }} {{ ns }}
{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}
{% set ns = namespace() %}{% set ns._a = 1 %}
{% set d = {} %}{% set d.a = 1 %}
{% set nope.a = 1 %}
{% set ns = namespace(a=1) %}{% macro m(s) %}{% set s.a = s.a + 1 %}{% endmacro %}{{ m(ns) }}{{ m(ns) }}{{ ns.a }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a, b = [1, 2] %}{{ a }}{{ b }}
{% set a, b = 1 %}{{ a }}
{% set (a, b) = (1, 2) %}{{ a }}{{ b }}
{% set a = 1, 2 %}{{ a }}
{% set a = 1, %}{{ a }}
{% set ns = namespace() %}{% set ns.a, b = 1, 2 %}{{ ns.a }}{{ b }}
{% set x %}block {{ n }}{% endset %}[{{ x }}]
{% set x | upper %}block {{ n }}{% endset %}[{{ x }}]
{% set x | upper | replace('B', 'b') %}block{% endset %}[{{ x }}]
{% set x %}{% set y = 1 %}a{% endset %}{{ x }}{{ y }}
{% set true = 1 %}
{% set x.y.z = 1 %}
{% set 1 = 2 %}
{% macro m() %}x{% endmacro %}{{ m() }}{{ m }}{{ m.name }}{{ m.arguments }}
{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c=5) }} {{ m(b=1, a=2) }}
{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}
{% macro m(a) %}{{ a is defined }}{{ a }}{% endmacro %}{{ m() }}
{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }}
{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}hi{% endcall %}
{% macro m(x) %}{{ caller(x, 2) }}!{% endmacro %}{% call(a, b) m(1) %}{{ a }}{{ b }}{{ n }}{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}hi{% endcall %}
{% macro m(caller=1) %}{{ caller }}{% endmacro %}{{ m() }}
{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% macro m() %}{{ z }}{% endmacro %}{% set z = 5 %}{{ m() }}
{% macro m() %}{% set z = 1 %}{{ z }}{% endmacro %}{% set z = 5 %}{{ m() }}{{ z }}
{% macro m() %}{{ i }}{% endmacro %}{% for i in list %}{{ m() }}{% endfor %}
{% for i in list %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}
{{ m() }}{% macro m() %}x{% endmacro %}
{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m('a')|upper }}{{ m('a') ~ 'b' }}{{ m('a') + 'b' }}
{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3, 'b': 4}) }}{{ m(5, *[6]) }}
{% macro m(a=1, b) %}{% endmacro %}
{% filter upper %}a{{ s }}{% endfilter %}
{% filter replace('a', 'b')|upper %}aab{% endfilter %}
{% filter upper %}{% set q1 = 1 %}{% endfilter %}{{ q1 }}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}
{% with a = 1, b = a %}{{ b }}{% endwith %}
{% generation %}gen {{ n }}{% endgeneration %}
{% generation %}{% set g = 1 %}{% endgeneration %}{{ g }}
{% if n %}a{% elif t %}b{% else %}c{% endif %}
{% if no %}a{% elif t %}b{% else %}c{% endif %}
{% if no %}a{% elif nope %}b{% else %}c{% endif %}
{% if no %}a{% endif %}x
{% if n == 7 and (t or nope) %}y{% endif %}
{% if 'a' in obj and obj['a'] is mapping %}y{% endif %}
{% if not nope %}y{% endif %}
{% if n: %}y{% endif %}
{% raw %}{{ n }} {% if %}{% endraw %}|
{%- raw -%}  x  {%- endraw -%}  y
{% raw %}
 a
{% endraw %}
b
{# comment #}x{# multi
line #}y
{#- c -#}  z
 a {%- if t %} b {%- endif %} c
 a {%- if t -%} b {%- endif -%} c
 a {{- n -}} b
 a {{ n }} b
a
  {% if t %}
  b
  {% endif %}
c
a
  {%+ if t %}
  b
  {%+ endif +%}
c
a
	{% if t %}x{% endif %}
  {{ n }}
  {# c #}
 d
{% if t %}

x{% endif %}

y
x {% if t %} y {% endif %} z
x {% if t +%}
y{% endif %}
{{ n }}
{{ s }}

end
{{ 'a\nb\t\x41\u00e9\'\"\\' }}
{{ "a\qb" }}
{{ 'multi
line' }}
{{ '}}' }}{{ "%}" }}{{ {'a': {'b': 1}}['a']['b'] }}
{{ {'a':1}|tojson }}{{{'a':1}|tojson}}
{{ n }
{{ n
{% if t %}
{% endif %}
{% for i in list %}{% endif %}
{{ }}
{{ n n }}
{{ 1 + }}
{{ (1 }}
{{ [1, 2 }}
{{ 'abc }}
{{ n | }}
{{ n is }}
{{ n. }}
{% unknown %}
{% if %}{% endif %}
{% for in list %}{% endfor %}
{% else %}
{# open
{% raw %} open
{{ 1if t else 2 }}
{{ n$ }}
{{ n ! t }}
{% set x = 1 %}{% set y = x %}{% set x = 2 %}{{ y }}{{ x }}
{% set messages = messages + [1] %}{{ messages|length }}
{% print n %}{% print 1, 2 %}
{% block b %}x{{ n }}{% endblock %}
{% include 'x' %}
{% import 'x' as y %}
{% extends 'x' %}
{% set x = [] %}{% set _ = x.append(1) %}{{ x }}
{% do list.append(1) %}
{% for i in range(3) -%}
  {{ i }}
{%- endfor %}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}
{% set j = joiner(', ') %}{% for i in list %}{{ j() }}{{ i }}{% endfor %}
{% set g = list|map('string') %}{{ g|list }}{{ g|list }}
{% set g = list|map('string') %}{{ g|first }}{{ g|list }}
{% set g = list|select('odd') %}{{ 1 in g }}{{ g|list }}
{% for k, g in users|groupby('city') %}{{ k }}:{{ g|map(attribute='name')|join(',') }} {% endfor %}
{% for g in users|groupby('age') %}{{ g.grouper }}{{ g.list|length }} {% endfor %}
{% for b in list|batch(2) %}{{ b }}{% endfor %}
{{ bos_token }}{{ eos_token }}{{ tools }}{{ documents }}{{ messages }}{{ add_generation_prompt }}
{{ tools is defined }}{{ tools is none }}{{ documents is none }}
{%- set f2 = namespace(found=false) -%}{%- for m in users if m.age == 25 -%}{%- set f2.found = true -%}{%- endfor -%}{{ f2.found }}
{{ (users|selectattr('age', 'eq', 30)|list)[0]['name'] }}{{ (users|map(attribute='name')|list)[::-1] }}
{{ '' if nope is not defined else nope }}{{ users[0].tags[-1] }}{{ users[-1]['city'].upper() }}
{{ obj.a['x'][::-1][0] }}{{ "abc"[1] }}{{ [1,2,3][1:][0] }}{{ (1,2)[1] }}{{ {'a': [1]}.a[0] }}
{% set x = {'a': 1, 'a': 2} %}{{ x }}{% set y = {1: 'i', 1.0: 'f', true: 'b'} %}{{ y }}
{% set k = {'a': 1} %}{% set k = dict(k, **{'b': 2}) %}{{ k }}
{{ {[1]: 2} }}
{{ obj[[1]] }}
{{ n }}{% if t %}{{ n }}{% endif %}
""".strip("\n")

# Several lines that belong together are joined again: these begin a template of more than one.
JOINED = {"{% raw %}": 4, "{# comment #}x{# multi": 2, "a": 5, "{% if t %}": 4, "x {% if t +%}": 2,
          "{{ n }}": 1, "{{ s }}": 3, "{{ 'multi": 2, "{% for i in range(3) -%}": 3}


def words(line):
    """Expressions of a line: separated by spaces that stand outside of quotes and brackets, where
    neither neighbour is an operator or a keyword."""
    glue = {"if", "else", "in", "not", "is", "and", "or", "%", "+"}
    parts, depth, quote, word = [], 0, "", ""
    for at, c in enumerate(line):
        if quote:
            quote = "" if c == quote and line[at - 1] != "\\" else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if c == " " and not quote and depth == 0:
            parts.append(word)
            word = ""
        else:
            word += c
    parts.append(word)
    out = []
    for part in parts:
        if out and (part in glue or out[-1].split(" ")[-1] in glue):
            out[-1] += " " + part
        else:
            out.append(part)
    return out


TWO_WORDS = {"divisibleby", "sameas", "eq", "equalto", "ne", "==", "lt", "gt", "le", "ge",
             "greaterthan", "none"}


def tested(line):
    """As words(), where a test may have an argument behind a space."""
    out = []
    for part in words(line):
        last = out[-1].split(" ") if out else [""]
        is_argument = last[-1] in TWO_WORDS and last[-1] != "none" and len(last) > 2
        if is_argument and last[-2] in ("is", "not"):
            out[-1] += " " + part
        else:
            out.append(part)
    return out


def statements():
    lines = STATEMENTS.split("\n")
    at = 0
    while at < len(lines):
        count = JOINED.get(lines[at], 1)
        if lines[at] == "{% if t %}" and not lines[at + 1] == "":
            count = 1
        if lines[at] == "{% raw %}" and lines[at + 1] != " a":
            count = 1
        yield "\n".join(lines[at:at + count])
        at += count


EXPRESSIONS = ([e for line in PRINTS.strip().split("\n") for e in words(line)]
               + [e for line in FILTERED.strip().split("\n") for e in words(line)]
               + [e for line in TESTED.strip().split("\n") for e in tested(line)])
# The object's address is no part of the behaviour.
ADDRESS = {"s.upper", "list.copy", "obj.get", "x.get", "joiner", "joiner()", "s.swapcase",
           "list|reverse", "words|map('upper')", "list|select('odd')", "obj|attr('keys')",
           "s|attr('upper')", "obj.items"}
CASES = (["{{ " + e + " }}" for e in dict.fromkeys(EXPRESSIONS) if e not in ADDRESS]
         + list(dict.fromkeys(statements())))
