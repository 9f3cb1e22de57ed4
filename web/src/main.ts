import './app.css';
import { askFirst } from './lib/ahead';

void askFirst(location.hash).catch(() => undefined);
void import('./app');
