// "Copy as code": a request as a program, with standard libraries (and libcurl) only.
import { cpp } from './cpp';
import { curl } from './curl';
import { go } from './go';
import { java } from './java';
import { javascript } from './javascript';
import { python } from './python';

export type { Ask } from './ask';
export const languages = { curl, Python: python, JavaScript: javascript, Go: go, Java: java, 'C++': cpp };
export type Language = keyof typeof languages;
