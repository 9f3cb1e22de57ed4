import './app.css';
import { askFirst } from './lib/ahead';

void askFirst(location.hash).catch(() => undefined); // what fails is asked again, and told
void import('./app');
